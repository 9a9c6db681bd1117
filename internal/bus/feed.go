package bus

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Feed brings what the fleet's stream stores, as it stores it: at most once, in any order. It is the seam for faults: what a
// wrapper drops, repeats, reorders or delays has to heal.
type Feed interface {
	// Start begins to deliver. deliver does not wait for anything and may be called from several goroutines; what it finds to do
	// it does, so that At has to be taken before it for what waits behind it as well.
	Start(deliver func(Arrival)) error
	// Arm makes the Feed hear on the present connection: what is stored after the round trip that follows it will be
	// delivered, unless it is lost. It is called before each Ping of the cursor; an error is why the Feed is deaf.
	Arm(ctx context.Context) error
	// Mark is a number of arrival that no message exceeds which had reached this process when Mark was called.
	Mark() uint64
	// Stop ends it. A delivery under way may still end after Stop has returned.
	Stop()
}

// Arrival is one message of a Feed.
type Arrival struct {
	Stamp   Stamp // what the server says of it, by whatever way this Feed is told; no Sequence = nothing
	Foreign bool  // it is not of the fleet's stream: counted, and that is all
	Subject string
	Header  nats.Header
	Data    []byte
	At      int64  // when it arrived, on the node's clock; never later than it did
	Conn    uint64 // which connection, counted up with each reconnect
	Number  uint64 // of arrival, counted up
	More    bool   // another one waits to be delivered: what is to be done once for many can be put off
}

// republished is the Feed of what the server republishes: one plain subscription, which costs the server no consumer.
type republished struct {
	nc      *nats.Conn
	stream  string
	subject string
	now     func() int64
	number  atomic.Uint64
	sub     *nats.Subscription
}

func newRepublished(cfg *Config) *republished {
	return &republished{
		nc: cfg.Conn, stream: event.StreamName(cfg.Fleet), subject: event.LiveSubject(cfg.Fleet, ">"), now: cfg.Now,
	}
}

func (r *republished) Start(deliver func(Arrival)) error {
	came := moments{now: r.now}
	sub, err := r.nc.Subscribe(r.subject, func(m *nats.Msg) {
		at, conn := came.begin(), connNumber(r.nc)
		s := ReadStamp(m.Header)
		deliver(Arrival{
			Stamp: s, Foreign: s.Stream != "" && s.Stream != r.stream, Subject: m.Subject, Header: m.Header, Data: m.Data,
			At: at, Conn: conn, Number: r.number.Add(1), More: came.more(m.Sub),
		})
		came.end(m.Sub)
	})
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", r.subject, err)
	}
	r.sub = sub
	return nil
}

// Arm has nothing to do: the client subscribes anew on every connection before it sends anything else.
func (r *republished) Arm(context.Context) error { return nil }

// Mark counts what was delivered and what waits to be. The order matters: read the other way round, a message that is
// delivered in between would count nowhere.
func (r *republished) Mark() uint64 {
	rest := waiting(r.sub)
	return r.number.Load() + rest
}

func (r *republished) Stop() { _ = r.sub.Unsubscribe() }

// waiting counts what the client has got for a subscription and its callback has not dealt with yet.
func waiting(sub *nats.Subscription) uint64 {
	pending, _, err := sub.Pending()
	if err != nil {
		return 0
	}
	return uint64(max(pending, 0))
}

// connNumber counts connections from 1. The client raises it before the new connection delivers anything.
func connNumber(nc *nats.Conn) uint64 { return nc.Stats().Reconnects + 1 }
