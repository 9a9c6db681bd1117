package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/internal/loglimit"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Publisher is what a relay needs; *lethe.Node is one. Publish returns once the event is stored; an error with a method
// Permanent() bool that says true, or one that wraps event.ErrInvalid, is a refusal for good.
//
// A Publisher that also has Forget(...event.Target) is told what was committed as soon as the relay reads it. One that also has
// Stream() (fleet, epoch string) tells which bus it is on, at any moment and without waiting; an empty epoch means that it does
// not know yet. Without it nothing guards against two processes that announce one database on two buses.
type Publisher interface {
	Publish(ctx context.Context, events ...event.Event) (event.Token, error)
}

// RelayConfig of a relay; zero is the default.
type RelayConfig struct {
	// Name is what the logs and the Status of every relay of the database call this one; "" = what the publisher's Name() says,
	// where it has one, or a UUID.
	Name string
	// Poll is how often the relay looks without being woken; 0 = 1 s, or 100 ms where a pooler that shares connections by transaction
	// keeps PostgreSQL's notifications from it. Where the database notifies, it is the fallback.
	Poll time.Duration
	// Logger has a budget: so many lines of one message a minute, and so many of all. nil discards.
	Logger *slog.Logger
}

// Relay publishes what is waiting. All methods are safe for concurrent use.
type Relay struct {
	db      *sql.DB
	dialect dialect
	pub     Publisher
	stream  func() (fleet, epoch string) // nil: nothing is known of buses
	forget  func(targets ...event.Target)
	cfg     RelayConfig
	log     *slog.Logger
	id      string
	times   times
	hooks   hooks
	base    time.Time

	life context.Context //nolint:containedctx // the relay's own life: ends with Close
	end  context.CancelFunc
	late context.Context //nolint:containedctx // what is under way when Close is called may last as long
	kill context.CancelFunc
	wg   sync.WaitGroup // every goroutine of this relay
	once sync.Once      // of Close

	wake    chan struct{} // something may wait
	beatNow chan struct{} // the place has changed

	post    post
	tickets tickets
	stats   collector
	work    work                    // of the worker's goroutine alone
	asked   int                     // which of the questions for its home the database answers; of the beats' goroutine alone
	memory  memory                  // what the database has held
	proven  atomic.Bool             // overdue rows were published here, beside the worker
	seen    atomic.Pointer[look]    // rows that waited at the last look at the database; nil = none
	trouble atomic.Pointer[trouble] // why rows wait, as far as this relay knows; nil = nothing has failed since the last that went
}

// times are constants, but for tests.
type times struct {
	look    time.Duration // how often it is looked whether the publisher's bus has changed
	beat    time.Duration // how often a relay shows that it is alive
	fresh   time.Duration // how long after a beat a worker may begin to publish
	silent  time.Duration // when another takes the work over
	lapse   time.Duration // when a relay on another bus counts as gone
	parked  time.Duration // how often parked rows are tried again
	backoff time.Duration // the first pause of a lane that failed; they grow to 32 times that
	grace   time.Duration // how long Close waits for what is under way
	answer  time.Duration // how long the database may take for a question
	late    time.Duration // how old a row becomes before that is logged
	listen  time.Duration // after how long without a notification the connection is asked
}

func defaults() times {
	return times{
		look: 50 * time.Millisecond, beat: time.Second, fresh: 3 * time.Second, silent: 5 * time.Second, lapse: time.Minute,
		parked: 5 * time.Minute, backoff: 50 * time.Millisecond, grace: 2 * time.Second,
		answer: 10 * time.Second, late: 30 * time.Second, listen: 30 * time.Second,
	}
}

// hooks are called at steps; nil = nothing.
type hooks struct {
	beat      hook   // before a beat
	published hook   // rows are stored in the stream and still in the table
	settled   hook   // they are gone from the table
	seed      uint64 // of the pauses' jitter; 0 = another each time
}

type hook func()

func (h hook) call() {
	if h != nil {
		h()
	}
}

// StartRelay publishes what is waiting in db. Any number of processes may run one: a lease lets one work at a time. ctx bounds
// the start only; the relay runs until Close. db and p stay the caller's, to be closed after the relay. One
// connection is enough; where db may have three, one of them listens for PostgreSQL's notifications. Through a pooler that shares
// connections by transaction, such as PgBouncer, it polls, and says so; one that shares them by statement is refused, and so is a db
// that prepares statements by name through a pooler.
func StartRelay(ctx context.Context, db *sql.DB, p Publisher, cfg RelayConfig) (*Relay, error) {
	return startRelay(ctx, db, p, cfg, defaults(), hooks{})
}

func startRelay(ctx context.Context, db *sql.DB, p Publisher, cfg RelayConfig, t times, h hooks) (*Relay, error) {
	switch {
	case db == nil:
		return nil, errors.New("outbox: db is nil")
	case p == nil:
		return nil, errors.New("outbox: the publisher is nil")
	case cfg.Poll < 0:
		return nil, errors.New("outbox: Poll is negative; 0 means 1 s")
	}
	cfg.Logger = loglimit.Logger(cfg.Logger)
	d, err := ask(ctx, db)
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, "SELECT one FROM lethe_outbox_home WHERE one < 0"); err != nil {
		return nil, fmt.Errorf("outbox: the tables are not there, or an older version made them; call Migrate or run Schema first: %w", err)
	}
	deaf, err := notHeard(ctx, db, d)
	if err != nil {
		return nil, err
	}
	if cfg.Poll == 0 {
		cfg.Poll = time.Second
		if deaf {
			cfg.Poll = pollPooled
		}
	}
	r := &Relay{
		db: db, dialect: d, pub: p, cfg: cfg, log: cfg.Logger, id: newID(cfg.Name, p), times: t, hooks: h, base: time.Now(),
		wake: make(chan struct{}, 1), beatNow: make(chan struct{}, 1),
	}
	if s, ok := p.(interface{ Stream() (fleet, epoch string) }); ok {
		r.stream = s.Stream
	}
	if f, ok := p.(interface{ Forget(targets ...event.Target) }); ok {
		r.forget = f.Forget
	}
	r.life, r.end = context.WithCancel(context.WithoutCancel(ctx))
	r.late, r.kill = context.WithCancel(context.WithoutCancel(ctx))
	r.post.init()
	r.tickets.init()
	r.stats.ask = r.Status
	r.work.init(h.seed)
	r.wg.Go(r.beats)
	r.wg.Go(r.works)
	switch {
	case deaf:
		r.log.Warn("a pooler shares PostgreSQL's connections by transaction, so nothing is heard of LISTEN; the outbox is polled",
			"event", "outbox_polled", "every", cfg.Poll)
	case d == postgres:
		r.wg.Go(r.listens)
	}
	return r, nil
}

// newID is the id of a relay, with its name in front.
func newID(name string, p Publisher) string {
	const digits = 12 // of the random part
	id := event.NewID()
	if named, ok := p.(interface{ Name() string }); ok && name == "" {
		name = named.Name()
	}
	if name == "" {
		return id
	}
	return clip(strings.ToValidUTF8(strings.ReplaceAll(name, "\x00", ""), "")) + "." + id[len(id)-digits:]
}

// now is the relay's clock: monotonic, since it was started.
func (r *Relay) now() time.Duration { return time.Since(r.base) }

// Wake makes the relay look at once; call it after a commit. It never waits.
func (r *Relay) Wake() { poke(r.wake) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is told already
	}
}

// Close ends the relay: what is being published is finished, for two seconds at most, another process may work at once. It is
// idempotent and returns when every goroutine has ended. What waits is published by another relay, or the next.
func (r *Relay) Close() error {
	r.once.Do(func() {
		r.end()
		stop := time.AfterFunc(r.times.grace, r.kill)
		r.wg.Wait()
		stop.Stop()
		r.kill()
		r.post.close()
		r.leave()
	})
	return nil
}
