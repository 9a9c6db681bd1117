package lethe

import "time"

// HurryOnce shortens the times of the once-per-fleet receivers that n registers from now on.
func HurryOnce(n *Node, ackWait, check time.Duration) {
	n.times.ackWait, n.times.checkEvery = ackWait, check
}

// HurryCalls shortens how long a call of n's receivers may take.
func HurryCalls(n *Node, call time.Duration) { n.times.call = call }

// OnceSubjects are the subjects that a once-per-fleet receiver with these filters asks for.
func OnceSubjects(opts ...ReceiveOption) ([]string, error) {
	r := &receiver{}
	for _, o := range opts {
		o.applyReceive(r)
	}
	return r.subjects(), r.checkFilters()
}
