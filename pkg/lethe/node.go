package lethe

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/internal/fleet"
	"github.com/lethe-cache/lethe/internal/flight"
	"github.com/lethe-cache/lethe/internal/handover"
	"github.com/lethe-cache/lethe/internal/loglimit"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Node is one copy's part of a fleet: its memory, and its ear on the stream. All methods are safe for concurrent use.
type Node struct {
	cfg    Config
	log    *slog.Logger
	budget *loglimit.Handler // behind log
	source string
	endLog func()          // writes the last lines
	spans  *handover.Queue // a tracer is user code, which may wait
	tracer trace.Tracer
	base   time.Time
	conn   *nats.Conn
	owned  *nats.Conn // dialled by Open; nil where the caller brought one

	dialled atomic.Pointer[error] // why the last attempt to connect owned failed

	fence *fence.Fence
	lease atomic.Int64 // end, on the node's clock; a lapsed one stays, to count from
	gate  fence.Gate
	graph flight.Graph
	bus   *bus.Bus
	fleet *fleet.Fleet

	horizon horizon
	opened  atomic.Bool
	since   atomic.Int64 // when it became current, or ceased to be, on the node's clock

	functions functions
	tiersOnce sync.Once
	tiersErr  error
	tiers     *tiers
	receivers receivers
	times     onceTimes // of receivers once per fleet
	touches   touches
	labels    labelNames
	metrics   nodeMetrics

	stop   context.Context //nolint:containedctx // the node's own life: ends with Close
	cancel context.CancelFunc
	closed atomic.Bool

	refreshes atomic.Int64 // loads in the background
	surge     surge
	audits    audits

	closing  sync.Once
	closeErr error // written before closing is done

	mu sync.Mutex // orders goroutines beginning with Close
	wg sync.WaitGroup
}

// Open validates cfg (all errors joined) and returns a node that is connecting; it needs no bus to return. Until Ready, Get
// calls the loader and stores nothing. ctx bounds Open itself, not the node.
func Open(ctx context.Context, cfg Config) (*Node, error) { return open(ctx, cfg, nil) }

// open is Open with a wrapper of the live feed: the seam for faults.
func open(ctx context.Context, cfg Config, feed func(bus.Feed) bus.Feed) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	// Whatever the node and what it is made of say goes through one budget, and no goroutine of theirs waits for the handler.
	var endLog func()
	cfg.Logger, endLog = handover.Logger(cfg.Logger)
	budget := loglimit.New(cfg.Logger.Handler())
	cfg.Logger = slog.New(budget)
	n := &Node{
		cfg: cfg, log: cfg.Logger, budget: budget, endLog: endLog, spans: handover.New(spansMost),
		source: "/lethe/" + cfg.Fleet + "/" + cfg.Name, base: time.Now(), times: onceDefaults(),
	}
	n.tracer = cfg.TracerProvider.Tracer("github.com/lethe-cache/lethe")
	n.stop, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	n.fence = fence.New(fence.Config{Rotate: max(cfg.MaxTTL, cfg.MaxLoad) + time.Minute}, n.now())
	n.gate = fence.Gate{Fence: n.fence, Lease: &n.lease, Now: n.now}
	n.metrics.init()
	conn := cfg.Conn
	if conn == nil {
		// The connection itself forgets why an attempt failed.
		remember := nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { n.dialled.Store(&err) })
		if conn, err = bus.Dial(cfg.URL, cfg.Logger, append([]nats.Option{remember}, cfg.NATSOptions...)...); err != nil {
			n.cancel()
			endLog()
			return nil, &Error{Op: "open", Name: "URL", Err: err}
		}
		n.owned = conn
	}
	n.conn = conn
	b := bus.Config{
		Conn: conn, Fleet: cfg.Fleet, Name: cfg.Name, Source: n.source,
		PublishOnly: cfg.PublishOnly, External: cfg.ExternalStream, Replicas: cfg.Replicas,
		MaxStaleness: cfg.MaxStaleness, Now: n.now, Logger: cfg.Logger, Handler: (*handler)(n), Feed: feed,
		Consumer: cfg.OrderedConsumer, MaxEvents: cfg.MaxEvents, WidenStorms: cfg.WidenStorms,
		Horizon: func() time.Duration { return n.horizon.wanted(cfg.MaxStaleness) },
		Greet:   func() { n.fleet.Greet() },
	}
	if err = n.openBus(ctx, b); err != nil {
		n.cancel()
		if n.owned != nil {
			n.owned.Close()
		}
		endLog()
		return nil, &Error{Op: "open", Name: cfg.Fleet, Err: err}
	}
	return n, nil
}

// openBus takes the node's place in the fleet before it follows the stream: the first connection greets the others.
func (n *Node) openBus(ctx context.Context, cfg bus.Config) error {
	if err := n.openFleet(&cfg); err != nil {
		return err
	}
	b, err := bus.Open(ctx, cfg)
	if err != nil {
		n.fleet.Close()
		return err
	}
	n.bus = b
	n.opened.Store(true)
	if !n.cfg.PublishOnly {
		n.log.Info("the node starts", append([]any{"event", "starting", "version", version(), "fleet", n.cfg.Fleet, "node", n.cfg.Name}, servers(n.conn)...)...)
	}
	n.fleet.Try() // now the bus hears what the server forbids
	n.wg.Go(n.watch)
	return nil
}

// now is the node's one clock: monotonic nanoseconds since it was opened.
func (n *Node) now() int64 { return int64(time.Since(n.base)) }

// Close is idempotent and returns when every goroutine has ended: loads and receivers under way are waited for (their contexts end
// within MaxLoad; one that ignores its context holds Close up). Afterwards Get calls the loader on the caller's own goroutine, and
// returns when it does; the loader's context ends in its time and with the caller's. Invalidate returns ErrClosed.
func (n *Node) Close() error {
	n.closing.Do(n.close)
	return n.closeErr
}

func (n *Node) close() {
	n.mu.Lock()
	n.closed.Store(true)
	n.mu.Unlock()
	n.functions.loaders.end()
	n.cancel()
	n.fleet.Close() // nothing is served any more
	n.closeErr = n.bus.Close()
	n.receivers.close()
	n.wg.Wait()
	for _, f := range n.functions.all() {
		f.deadlines.end()
	}
	n.verify()
	n.mu.Lock()
	if n.tiers != nil {
		n.tiers.close()
	}
	n.mu.Unlock()
	if n.owned != nil {
		n.owned.Close()
	}
	n.spans.Close(spansFor)
	n.endLog()
}

// goLoad runs fn on a goroutine that Close waits for; false when the node is closed.
func (n *Node) goLoad(fn func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed.Load() {
		return false
	}
	n.wg.Go(fn)
	return true
}

// openTiers allocates the node's memory, once.
func (n *Node) openTiers() error {
	n.tiersOnce.Do(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.closed.Load() {
			return // reads of a closed node call their loader
		}
		if n.tiers, n.tiersErr = newTiers(&n.cfg); n.tiersErr == nil {
			n.wg.Go(func() { n.tiers.watch(n.stop) })
		}
	})
	return n.tiersErr
}

// Ready returns nil once the node has caught up and holds its lease, else when ctx ends: ErrNotReady with the last connection error.
func (n *Node) Ready(ctx context.Context) error {
	if n.closed.Load() {
		return ErrClosed
	}
	return n.notReady(n.bus.Ready(ctx))
}

// Position is the token of the last event this node has applied without a hole: what a loader sends to another node as Lethe-Token.
func (n *Node) Position() event.Token { return n.bus.Position() }

// Wait returns when this node has applied t. A zero Token: at once. A Token of another fleet: event.ErrInvalid.
func (n *Node) Wait(ctx context.Context, t event.Token) error { return n.bus.Wait(ctx, t) }
