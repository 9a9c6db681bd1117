package lethe

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// What the tests of this package reach beside its API.

// OpenWithFeed is Open with a wrapper of the live feed.
var OpenWithFeed = open

// EndLease lets the node's lease lapse, as time does where a bus can't prove any more that the node is current. TakeLease takes it
// away, as a bus does whose machine has slept.
func EndLease(n *Node)  { n.lease.Store(min(n.lease.Load(), n.now())) }
func TakeLease(n *Node) { (*handler)(n).Lease(0) }

// Usually has the loads of a function count as ones that take so long.
func Usually(n *Node, function string, d time.Duration) {
	n.functions.find(function).usual.mean.Store(int64(d))
}

// Patience is how long callers of a function wait for a load that may not be good for them.
func Patience(n *Node, function string, timeout time.Duration) time.Duration {
	return n.functions.find(function).usual.patience(timeout)
}

// MaxKept is how many values the reads below one outermost read share.
const MaxKept = maxKept

// HoldLease takes the lease away and keeps it away.
func HoldLease(n *Node) { n.gate.Lease = new(atomic.Int64) }

// Offline says whether the node's bus has noticed that its connection was closed: then nothing renews the lease.
func Offline(n *Node) bool {
	return errors.Is(n.bus.Status().Err, nats.ErrConnectionClosed)
}

// EchoApplied has the node apply an event it has fenced before: nothing is forgotten.
func EchoApplied(n *Node, targets ...event.Target) {
	(*handler)(n).Apply(&bus.Delivery{Received: event.Received{Event: event.Event{ID: event.NewID(), Targets: targets}}, Echo: true})
}

// DropHot empties the hot tier, as pressure on it would.
func DropHot(n *Node) { n.tiers.hot.InvalidateAll() }

// HotLen and BulkLen are how many entries the tiers hold; BulkBytes is what bulk has allocated for entries.
func HotLen(n *Node) int    { n.tiers.hot.CleanUp(); return n.tiers.hot.EstimatedSize() }
func BulkLen(n *Node) int   { return n.tiers.bulk.Len() }
func BulkBytes(n *Node) int { return n.tiers.bulk.Capacity() }

// FallBehind makes every receiver of n miss something.
func FallBehind(n *Node) {
	for _, r := range n.receivers.list() {
		if !r.shared {
			r.fallBehind()
		}
	}
}
