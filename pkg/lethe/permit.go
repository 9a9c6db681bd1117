package lethe

import "sync/atomic"

// permit is one of a bounded number. The zero permit is none.
type permit struct{ of *atomic.Int64 }

// acquire takes a permit, unless most are taken.
func acquire(of *atomic.Int64, most int64) (permit, bool) {
	if of.Add(1) > most {
		of.Add(-1)
		return permit{}, false
	}
	return permit{of}, true
}

// release gives the permit back, once, if it was not handed over.
func (p *permit) release() {
	if p.of != nil {
		p.of.Add(-1)
		p.of = nil
	}
}

// hand returns the permit for somebody else to release.
func (p *permit) hand() permit {
	q := *p
	p.of = nil
	return q
}
