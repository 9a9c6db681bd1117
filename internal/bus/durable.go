package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// DurableConfig of a Durable. All fields are required.
type DurableConfig struct {
	// Receiver is its name, the same on all nodes.
	Receiver string
	// Subjects of the log, below the fleet's prefix, that it is to be given: "all", "tag.user", "fn.catalog.>". None covers another.
	Subjects []string
	// Filters are the receiver's filters in words. Nodes whose words differ run different versions of a program: of those the one
	// that began last is right.
	Filters string
	// Version of this module, for people.
	Version string
	// AckWait is how long a message may be in one node's hands without a sign of life before it is given to another.
	AckWait time.Duration
	// CheckEvery is how often, with jitter, the consumer is compared with its stream.
	CheckEvery time.Duration
}

// Durable is a node's part in a consumer that all nodes of the fleet share: each message is handed to one of them, and again
// until one has said Done or Bury. Messages are handed out one at a time, in the order of the stream, over the whole fleet.
//
// Next, Done, Again, Skip and Bury are for one goroutine; all else is safe for concurrent use.
type Durable struct {
	b    *Bus
	cfg  DurableConfig
	name string // of the consumer, on the log and on the stream of dead letters

	poke    chan struct{} // something is to be looked at
	doubt   atomic.Bool   // the stream lost messages that it had; the receiver has to be told
	wanted  atomic.Bool   // somebody reads Lag
	lag     atomic.Uint64
	attach  atomic.Bool
	pending chan *nats.Msg
	sub     *nats.Subscription

	conn    uint64    // the connection the rest counts on
	checked time.Time // when the consumer was looked at last
	next    time.Time // when it is next
	since   time.Time // when this node registered: of two versions of a program the younger is right
	standby bool      // another version of the program has the say
	known   durableState
	pulls   [2]pull
	fails   int
	said    string // the last reason that was logged
	ordered string // the consumer, as it was when this node last ordered that the receiver be told of a loss
	denial  string // the server's last refusal to change a consumer that was logged
}

// durableState is what a node remembers of the consumer, to notice that it was made anew or has lost messages.
type durableState struct {
	created time.Time // zero: never seen
	epoch   string
	through uint64 // everything up to here was handled
}

// OpenDurable joins the consumer of a receiver, which is made when the first node joins it and begins with what comes then. It
// needs no server: Next waits for one.
func (b *Bus) OpenDurable(cfg DurableConfig) *Durable {
	d := &Durable{
		b: b, cfg: cfg, name: ConsumerName(cfg.Receiver), since: time.Now(),
		poke: make(chan struct{}, 1), pending: make(chan *nats.Msg, 16),
	}
	d.pulls[onLog].stream, d.pulls[onDead].stream = b.stream, DeadStream(b.cfg.Fleet)
	return d
}

// Lag is how many messages wait for the receiver in the whole fleet, as last heard; asking has it looked at soon.
func (d *Durable) Lag() uint64 {
	d.wanted.Store(true)
	d.wake()
	return d.lag.Load()
}

// Weigh has Lag looked at now, where somebody has asked for it: Next does it else, but not while a message is worked on.
func (d *Durable) Weigh(ctx context.Context) {
	if !d.wanted.Load() {
		return
	}
	if ci, err := d.info(ctx); err == nil {
		d.weigh(ci)
	}
}

func (d *Durable) weigh(ci jetstream.ConsumerInfo) {
	d.lag.Store(ci.NumPending + uint64(max(ci.NumAckPending, 0)))
}

// Attached says whether this node takes messages at the moment.
func (d *Durable) Attached() bool { return d.attach.Load() }

// Doubt says that this node has forgotten everything because of cause. Where the stream itself has lost messages the receiver is told.
func (d *Durable) Doubt(cause string) {
	switch cause {
	case "reused", "back", "hole", "lost":
		d.doubt.Store(true)
	case "start":
		return
	}
	d.checkSoon()
}

func (d *Durable) checkSoon() {
	d.wanted.Store(true)
	d.wake()
}

func (d *Durable) wake() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// Bounds of Next.
const (
	lagEvery    = 5 * time.Second // at least between two looks that only a reader of Lag asked for
	failPause   = 100 * time.Millisecond
	failPauseUp = 10 * time.Second
)

// Next waits for a message and returns it. Only the end of ctx and of the Bus is an error; anything else is logged and tried again.
func (d *Durable) Next(ctx context.Context) (*Handed, error) {
	for {
		if err := d.b.Ready(ctx); ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return nil, errors.Join(err, ctx.Err())
		}
		if err := d.lookWhenDue(ctx); err != nil {
			d.failed(ctx, err)
			continue
		}
		h, err := d.take(ctx)
		if err != nil {
			d.failed(ctx, err)
		}
		if h != nil {
			return h, nil
		}
	}
}

func (d *Durable) lookWhenDue(ctx context.Context) error {
	now := time.Now()
	if number := connNumber(d.b.nc); number != d.conn {
		if err := d.listen(); err != nil {
			return err
		}
		d.conn, d.next = number, now
	}
	if (d.wanted.Load() || d.doubt.Load()) && now.Sub(d.checked) >= min(lagEvery, d.cfg.CheckEvery) {
		d.next = now
	}
	if now.Before(d.next) {
		return nil
	}
	d.wanted.Store(false)
	if err := d.look(ctx); err != nil {
		return err
	}
	d.fails, d.said = 0, ""
	d.checked = time.Now()
	d.next = d.checked.Add(d.cfg.CheckEvery*3/4 + rand.N(d.cfg.CheckEvery/2)) //nolint:gosec // jitter is no secret
	d.attach.Store(!d.standby)
	return nil
}

// failed says what is wrong, once, and waits a little.
func (d *Durable) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	d.attach.Store(false)
	d.next = time.Now()
	if text := err.Error(); text != d.said && d.fails > 0 {
		d.said = text
		d.b.cfg.Logger.Warn("a once-per-fleet receiver gets no events on this node; it is tried again", "receiver", d.cfg.Receiver, "error", err)
	}
	ceiling := min(failPause<<min(d.fails, 10), failPauseUp)
	d.fails++
	select {
	case <-ctx.Done():
	case <-time.After(ceiling/2 + rand.N(ceiling/2)): //nolint:gosec // jitter is no secret
	}
}

// Close gives back what the server has handed to this node and nobody has taken. It is called once Next will not be again.
func (d *Durable) Close() {
	d.attach.Store(false)
	if d.sub == nil {
		return
	}
	for i := range d.pulls {
		d.pulls[i].end()
	}
	if err := d.sub.Drain(); err != nil { // not connected: then nothing is in hand
		_ = d.sub.Unsubscribe()
	}
	ctx, cancel := context.WithTimeout(context.Background(), removeFor)
	defer cancel()
	_ = d.b.nc.FlushWithContext(ctx) // what the server sent before it heard of the end is in the channel then
	for {
		select {
		case m, ok := <-d.pending:
			if !ok {
				return
			}
			if m.Reply != "" && m.Header.Get("Status") == "" {
				_ = d.b.nc.Publish(m.Reply, []byte("-NAK"))
			}
		default:
			_ = d.b.nc.FlushWithContext(ctx)
			return
		}
	}
}
