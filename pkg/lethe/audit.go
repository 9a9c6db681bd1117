package lethe

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/internal/bus"
)

// An audit asks, some time after an event was applied that concerned a key, whether what the node would serve for it is what the
// loader brings. The model is Polaris, by which Meta counts the nines of its caches' consistency
// (https://engineering.fb.com/2022/06/08/core-infra/cache-made-consistent/): act as a client of the cache, ask the source only
// where something may be wrong, and give an invalidation time to arrive before crying.

// auditAges is how long after the apply a key is checked.
//
//nolint:gochecknoglobals // a constant table
var auditAges = [...]struct {
	after time.Duration
	name  string
}{{time.Second, "1s"}, {10 * time.Second, "10s"}, {time.Minute, "60s"}}

// verdict of a check.
type verdict int

const (
	auditConsistent verdict = iota
	auditStale
	auditError
	auditNone // nothing was there to compare, or it is not decided yet
)

//nolint:gochecknoglobals // a constant table
var verdicts = [...]string{"consistent", "stale", "error"}

// maxAudits bounds how many checks a node makes at a time; a function makes one.
const maxAudits = 4

// audits are those of a node's functions that are audited.
type audits struct {
	list atomic.Pointer[[]*auditor]

	mu    sync.Mutex    // serialises additions
	slots chan struct{} // of checks under way
}

func (as *audits) add(a *auditor) (slots chan struct{}) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if as.slots == nil {
		as.slots = make(chan struct{}, maxAudits)
	}
	var all []*auditor
	if l := as.list.Load(); l != nil {
		all = slices.Clone(*l)
	}
	all = append(all, a)
	as.list.Store(&all)
	return as.slots
}

// audit tells the functions that are audited which labels an event has raised.
func (n *Node) audit(d *bus.Delivery) {
	list := n.audits.list.Load()
	if list == nil {
		return
	}
	var hashes []uint64
	for _, t := range d.Targets {
		if t.Err() == nil {
			hashes, _ = n.appendLabels(hashes, t)
		}
	}
	if len(hashes) == 0 {
		return
	}
	now, why := n.now(), touch{id: d.ID, source: d.Source, typ: d.Type, at: d.Time, token: d.Token}
	for _, a := range *list {
		a.sample.touched(hashes, now, why)
	}
}

// auditor is the audit of one function, without its types.
type auditor struct {
	sample  sample
	counts  [len(auditAges)][len(verdicts)]atomic.Uint64
	timeout time.Duration // of one check
}

// work makes one check after the other, when they are due. A loader that overruns its time lets go of the node's slot, but not
// of the function: no second one is called beside it.
func (a *auditor) work(n *Node, slots chan struct{}, check func(*auditCheck)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		c, wait := a.sample.next(n.now())
		if c == nil {
			timer.Reset(wait)
			select {
			case <-a.sample.wake:
			case <-timer.C:
			case <-n.stop.Done():
				return
			}
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-n.stop.Done():
			return
		}
		done := make(chan struct{})
		if !n.goLoad(func() { defer close(done); check(c) }) {
			return
		}
		over, cancel := context.WithTimeout(n.stop, a.timeout)
		select {
		case <-done:
		case <-over.Done():
		}
		cancel()
		<-slots
		select {
		case <-done:
		case <-n.stop.Done():
			return
		}
	}
}
