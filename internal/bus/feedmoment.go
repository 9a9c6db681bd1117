package bus

import "github.com/nats-io/nats.go"

// moments tells when the messages of one subscription had reached this process, at the latest plausible: never later than
// they did. The client calls back for one after the other, so a message may have waited while another was dealt with, and
// its callback's own time would say that the feed was alive when nothing has proven it. Only the callback uses it.
type moments struct {
	now    func() int64
	left   uint64 // messages that waited when it was counted last, and have not been called back for since
	since  int64  // they had come after this
	opened int64  // what was counted last had come before this
}

// begin is the moment of the message that is called back for.
func (m *moments) begin() int64 {
	if m.left > 0 {
		m.left--
		return m.since
	}
	m.opened = m.now() // nothing waited, so it has just come
	return m.opened
}

// end counts what waits once what had waited before is done. What is found waiting had come since the count before, or since
// the callback that nothing had waited for began.
func (m *moments) end(sub *nats.Subscription) {
	if m.left > 0 {
		return
	}
	now := m.now() // before the count: what comes in between is of the next
	if n := behind(sub); n > 0 {
		m.left, m.since, m.opened = n, m.opened, now
	}
}

// more says whether another message waits behind the one that is called back for.
func (m *moments) more(sub *nats.Subscription) bool { return m.left > 0 || behind(sub) > 0 }

// behind counts what waits behind the message that is called back for, which the client still counts.
func behind(sub *nats.Subscription) uint64 { return max(waiting(sub), 1) - 1 }
