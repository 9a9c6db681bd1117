package bus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/cursor"
	"github.com/lethe-cache/lethe/internal/handover"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Bus is a node's place on its fleet's stream. All methods are safe for concurrent use.
type Bus struct {
	cfg    Config
	stream string // name of it
	nc     *nats.Conn

	life    context.Context //nolint:containedctx // the life of the Bus itself; ends with Close
	end     context.CancelFunc
	endLog  func()     // writes the last lines
	running goroutines // every one of this Bus

	board   board
	why     reasons
	perms   permissions
	denials denials
	answers answers
	echoes  echoes
	counts  counts
	commits commits
	listed  atomic.Pointer[listed]

	asOf    atomic.Int64 // the moment the last lease counts from, also after it is gone; 0 = there was none
	clock   atomic.Int64 // what turns the leader's time, Unix nanoseconds, into the node's, at the latest; 0 = not known
	was     atomic.Bool  // ready once
	deaf    atomic.Bool  // the server refuses the live feed; until something comes on it
	queue   *queue
	feed    Feed
	reports chan func(now int64) // what goroutines have to say to the loop
	wants   chan struct{}
	doubts  chan struct{} // of a PublishOnly bus: whether the stream is still the one it knows
	horizon horizon

	turn sync.Mutex // guards loop, and orders the calls of the Handler
	loop loop
}

// loop is what is dealt with in turns: by the loop's goroutine, and by those that bring arrivals.
type loop struct {
	closed   bool  // nothing that arrives is dealt with any more
	unshown  int   // arrivals since the position was shown
	armed    int64 // when the loop wakes up by itself
	follower *cursor.Follower
	online   context.Context //nolint:containedctx // the life of the connection
	offline  context.CancelFunc
	conn     uint64 // number of the connection; 0 = none
	gone     bool   // it has given up
	passed   uint64 // what the Handler was told of last
	since    int64  // when the last Reset was done
	beaten   int64
	ensure   bool   // the stream has to be looked at before it is asked
	lost     string // id of this node's last "lost"
	tried    uint64 // the connection on which a fetch was tried
	complain complaints
	senders  sources // of what came while the node was behind
}

// Open returns a Bus that is connecting; it needs no server. ctx bounds nothing that lasts: the Bus lives until Close. The
// error is about cfg, all that is wrong with it at once, or the subscription.
func Open(_ context.Context, cfg Config) (*Bus, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	var endLog func()
	cfg.Logger, endLog = handover.Logger(cfg.Logger)
	b := &Bus{
		cfg: cfg, endLog: endLog, nc: cfg.Conn, stream: event.StreamName(cfg.Fleet),
		queue:   newQueue(),
		reports: make(chan func(int64), 64),
		wants:   make(chan struct{}, 1),
		doubts:  make(chan struct{}, 1),
	}
	b.life, b.end = context.WithCancel(context.Background())
	b.loop.follower = cursor.New(cursor.Config{MaxStaleness: cfg.MaxStaleness, Backlog: cfg.Backlog, Tick: tick, Jitter: rand.Float64}, cfg.Now(), wallNow())
	b.commits.init(&b.cfg)
	if cfg.Conn.Opts.MaxReconnect >= 0 {
		cfg.Logger.Warn("the NATS connection gives up after some attempts to reconnect; open it with nats.MaxReconnects(-1)",
			"attempts", cfg.Conn.Opts.MaxReconnect)
	}
	b.perms.forbidden = b.forbidden
	b.perms.listen(cfg.Conn, b.denied)
	b.answers.nc, b.answers.refuse = cfg.Conn, &b.perms
	if !cfg.PublishOnly {
		if err := b.subscribe(); err != nil {
			b.perms.close()
			endLog()
			return nil, err
		}
	}
	b.why.set(areaConn, errConnecting(cfg.Conn))
	status := cfg.Conn.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	b.running.begin(func() { //nolint:contextcheck // the Bus outlives the context of Open
		defer cfg.Conn.RemoveStatusListener(status)
		b.run(status)
	})
	return b, nil
}

func (b *Bus) subscribe() error {
	b.feed = newRepublished(&b.cfg)
	if b.cfg.Consumer {
		b.feed = newConsumed(&b.cfg, b.request, b.told)
	}
	if b.cfg.Feed != nil {
		b.feed = b.cfg.Feed(b.feed)
	}
	if err := b.feed.Start(b.deliver); err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	return nil
}

// denied hears of a subscription that the server refused.
func (b *Bus) denied(subject string, err error) {
	if subject == event.LiveSubject(b.cfg.Fleet, ">") && !b.cfg.PublishOnly {
		b.why.set(areaFeed, err)
		b.deaf.Store(true)
		b.board.poke()
	}
	if b.answers.hears(subject) {
		b.why.set(areaInbox, errInbox(b.nc, err))
		b.board.poke()
	}
	b.refused("subscribe", subject)
}

// Close ends everything and returns when every goroutine has ended; a log handler that blocks gets a second. It is
// idempotent. The connection stays open, and nothing of the Bus stays at it.
func (b *Bus) Close() error {
	b.closeCommits()
	b.end()
	b.turn.Lock()
	b.loop.closed = true // nothing begins behind the Wait
	b.turn.Unlock()
	b.pump()
	b.running.close()
	if b.feed != nil {
		b.feed.Stop()
	}
	b.answers.close()
	b.perms.close() // last: a refusal while the feed is stopped is heard at once
	b.endLog()
	return nil
}

// beatEvery is how often the clocks are compared.
const beatEvery = 100 * time.Millisecond

// run is the loop: it does what is not done by those who bring arrivals.
func (b *Bus) run(status <-chan nats.Status) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer func() {
		b.turn.Lock()
		defer b.turn.Unlock()
		if b.loop.offline != nil {
			b.loop.offline()
		}
	}()
	for {
		select {
		case <-b.life.Done():
			return
		case <-status:
			if !b.nc.IsConnected() { // without the turn: somebody who has it may wait for an answer
				b.answers.broken(connNumber(b.nc))
			}
			b.take(timer, b.connection)
		case report := <-b.reports:
			b.take(timer, func() { report(b.cfg.Now()) })
		case <-b.wants:
			b.take(timer, func() { b.do(b.loop.follower.Want(b.cfg.Now())) })
		case <-b.queue.wake:
			b.take(timer, b.arrivals)
		case <-timer.C:
			b.take(timer, b.connection)
		}
	}
}

// take is a turn of the loop's.
func (b *Bus) take(timer *time.Timer, do func()) {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.step(do)
	b.rearm(timer)
}

// step does one thing and shows what has become of it.
func (b *Bus) step(do func()) {
	b.check()
	do()
	b.show()
}

// show shows where the cursor stands, and tells the node.
func (b *Bus) show() {
	b.loop.unshown = 0
	if !b.cfg.PublishOnly {
		v := b.loop.follower.View()
		if v.AsOf != 0 {
			b.asOf.Store(v.AsOf)
		}
		b.board.show(v)
		b.passed(v)
	}
}

// passed tells the node where the cursor stands, when it has moved.
func (b *Bus) passed(v cursor.View) {
	if v.Standing && v.Cursor != b.loop.passed {
		b.loop.passed = v.Cursor
		b.cfg.Handler.Passed(v.Cursor)
	}
}

// check compares the clocks before anything is done: what arrives after a pause must not be taken for fresh.
func (b *Bus) check() {
	if b.cfg.Now()-b.loop.beaten >= int64(beatEvery) {
		b.beat()
	}
}

func (b *Bus) beat() {
	now, wall := b.cfg.Now(), time.Now()
	b.loop.beaten = now
	if !b.cfg.PublishOnly {
		b.do(b.loop.follower.Beat(now, wall.UnixNano()))
	}
}

// rearm sets the timer to what is due next.
func (b *Bus) rearm(timer *time.Timer) {
	now := b.cfg.Now()
	wait := beatEvery
	if due := b.loop.follower.Due(); due != 0 {
		wait = min(wait, max(time.Duration(due-now), 0))
	}
	b.loop.armed = now + int64(wait)
	timer.Reset(wait)
}

// tell gives the loop something to do; after Close it is not done.
func (b *Bus) tell(report func(now int64)) {
	select {
	case b.reports <- report:
	case <-b.life.Done():
	}
}
