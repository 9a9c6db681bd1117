package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// tick is T of the laws: how long the stream stays without a message. The bound on staleness has to leave room for five.
const tick = time.Second

// Config of a Bus. Conn, Fleet, Source, Now, Logger and (unless PublishOnly) Handler are required.
type Config struct {
	// Conn is never closed by the Bus.
	Conn *nats.Conn
	// Fleet is whose stream it is, Name the node's, Source the source of the events it publishes.
	Fleet, Name, Source string
	// PublishOnly: no subscription, no ticks, no lease; Handler is not called, and the stream is neither made nor changed: without
	// one Ready and Status say NoStream.
	PublishOnly bool
	// External: the stream is provisioned elsewhere; it is checked, never created or changed.
	External bool
	// Consumer follows by a consumer of the node's own, for servers and accounts that allow no RePublish: the stream need not
	// republish. Each costs the server about 37 KB, and of a stream there are 1,000 at most unless it is told otherwise.
	Consumer bool
	// Replicas of a stream that is created; 0 = min(3, servers). An existing stream keeps its own.
	Replicas int
	// MaxStaleness is how long after its as-of moment a lease ends; 0 = 10 s, at least 5 s.
	MaxStaleness time.Duration
	// Backlog is how many messages the node may be behind without gaining on the stream; 0 = 100,000.
	Backlog uint64
	// MaxEvents is how many events a second Invalidate sends, as many at once after a rest; 0 = 5,000. What is invalidated
	// over it gathers for up to a second; then it is ErrStorm, or with WidenStorms all that the subject may say.
	MaxEvents   int
	WidenStorms bool
	// Now is the node's one clock: monotonic nanoseconds since its base. Nothing else decides about leases.
	Now func() int64
	// Horizon is how long the node may serve what it has without renewing its lease, where that is longer than MaxStaleness;
	// nil = it is not. It is safe for concurrent use and never shrinks.
	Horizon func() time.Duration
	// Greet tells the others of this node. It is called on each new connection before anything may be stored, and publishes
	// on lethe.v1.ctl.<fleet>.presence.<Name>; nil = nothing is told.
	Greet func()
	// Logger is not nil. Its handler is called on a goroutine of its own, so that it may block; beyond 1,024 lines that wait others are
	// dropped, and counted in a line.
	Logger *slog.Logger
	// Handler is told what arrives.
	Handler Handler
	// Feed wraps the live feed: the seam for faults. nil = none.
	Feed func(Feed) Feed
}

// Handler is the node behind a Bus. It is called from one goroutine at a time, in the order of the things told, and must
// not call back into the Bus's waiting methods. A panic in it ends the process: it is our own code.
type Handler interface {
	// Apply is called for each event on arrival, in any order, and may repeat. Before the cursor passes an event, Apply has
	// returned for it.
	Apply(d *Delivery)
	// FenceAll fences everything hard, now; twice a Reset.
	FenceAll()
	// ResetDone says that the cursor stands at the stream's end again; everything before counts as applied.
	ResetDone(cause string)
	// Passed says that the cursor has passed everything up to sequence: after the Applies it passed, and after ResetDone for
	// the position a Reset has put it at.
	Passed(sequence uint64)
	// Lease says until when, on the clock of Config.Now, the node may serve what it has; 0 = it has no lease. It is called
	// after everything the lease counts on has been applied.
	Lease(end int64)
}

// Delivery is one event as it arrived.
type Delivery struct {
	event.Received
	Sequence uint64    // 0 = the server gave none: it concerns the node, but not its position
	Stored   time.Time // when the stream stored it, by the server's clock; zero without a Sequence
	Echo     bool      // this node fenced it before it published it: nothing to fence, receivers still hear it
	Live     bool      // came on the live feed, not by catching up
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, text string) {
		if !ok {
			errs = append(errs, errors.New("bus: "+text))
		}
	}
	need(c.Conn != nil, "Conn is nil")
	need(c.Source != "", "Source is empty")
	need(c.Now != nil, "Now is nil")
	need(c.Logger != nil, "Logger is nil")
	need(c.PublishOnly || c.Handler != nil, "Handler is nil")
	need(c.Replicas >= 0 && c.Replicas <= 5, "Replicas is not between 0 and 5")
	if err := event.CheckFleet(c.Fleet); err != nil {
		errs = append(errs, err)
	}
	need(c.MaxEvents >= 0, "MaxEvents is negative")
	if c.MaxEvents == 0 {
		c.MaxEvents = 5000
	}
	if c.MaxStaleness == 0 {
		c.MaxStaleness = 10 * tick
	}
	if c.MaxStaleness < 5*tick {
		errs = append(errs, fmt.Errorf("bus: MaxStaleness %v is shorter than five ticks; use at least %v", c.MaxStaleness, 5*tick))
	}
	return errors.Join(errs...)
}
