package manifest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lethe-cache/lethe/internal/loglimit"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// ErrClosed is what a store says after, or because of, Close.
var ErrClosed = errors.New("manifest: the store is closed")

// Option of [Open].
type Option interface{ apply(*options) }

type options struct {
	log     *slog.Logger
	journal time.Duration // 0 = none
}

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// WithLogger says where the store and its relay log, which have a budget of lines a minute; nil discards, which is the default.
func WithLogger(l *slog.Logger) Option { return optionFunc(func(o *options) { o.log = l }) }

// Store keeps manifests in a database and announces what their changes make stale. All methods are safe for concurrent use, by
// any number of processes on one database. While the relay says [outbox.ErrOtherBus], they refuse with it: a node on another bus
// would keep what it has read for ever.
type Store struct {
	db        *database
	publisher outbox.Publisher
	relay     *outbox.Relay
	kinds     *registry
	log       *slog.Logger
	journal   *journal // nil = none is kept

	beforeCommit func() // of tests; nil = nothing

	left atomic.Int64 // plans that are being made and that nobody waits for; see apart

	mu       sync.Mutex // guards what follows
	closed   bool
	calls    map[*context.CancelCauseFunc]struct{} // under way
	under    sync.WaitGroup                        // the same
	ending   sync.Once
	closeErr error
}

// Open opens a database and makes or updates its tables: "sqlite:FILE" (one file, one machine; created where there is none),
// "sqlite::memory:" (gone with the store) or "postgres://…" (pool_max_conns says how many connections it uses; 16). A database
// that a newer program has made is refused. PgBouncer may stand between in session and transaction mode; docs/deploy.md says what
// that changes.
//
// p is what announces: a *lethe.Node, which stays the caller's to close, after the store. One that also has
// Forget(...event.Target) is told at once what was committed. ctx bounds the start only.
func Open(ctx context.Context, dsn string, p outbox.Publisher, opts ...Option) (*Store, error) {
	if p == nil {
		return nil, errors.New("manifest: the publisher is nil; pass the *lethe.Node that announces changes")
	}
	var o options
	for _, opt := range opts {
		opt.apply(&o)
	}
	o.log = loglimit.Logger(o.log)
	db, err := open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, publisher: p, kinds: newRegistry(db.contentOf), log: o.log, calls: map[*context.CancelCauseFunc]struct{}{}}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.close())
	}
	if err := outbox.Migrate(ctx, db.write); err != nil {
		return nil, errors.Join(fmt.Errorf("manifest: %w", err), db.close())
	}
	if s.relay, err = outbox.StartRelay(ctx, db.write, p, outbox.RelayConfig{Poll: db.poll, Logger: o.log}); err != nil {
		return nil, errors.Join(fmt.Errorf("manifest: %w", err), db.close())
	}
	if err := openJournal(ctx, s, o.journal); err != nil {
		return nil, errors.Join(err, s.relay.Close(), db.close())
	}
	return s, nil
}

// Close ends the store: calls that have not committed end with [ErrClosed], those that wait for a token without it. It is
// idempotent and returns when all have ended. What is committed and not announced yet is announced by another process of the
// database, or the next one.
func (s *Store) Close() error {
	s.ending.Do(func() {
		s.mu.Lock()
		s.closed = true
		for cancel := range s.calls {
			(*cancel)(ErrClosed)
		}
		s.mu.Unlock()
		s.under.Wait()
		s.journal.close()
		s.closeErr = errors.Join(s.relay.Close(), s.db.close())
	})
	return s.closeErr
}

// enter is how a call begins; what it returns ends it.
func (s *Store) enter(ctx context.Context) (context.Context, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, ErrClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s.calls[&cancel] = struct{}{}
	s.under.Add(1)
	return ctx, func() {
		cancel(nil)
		s.mu.Lock()
		delete(s.calls, &cancel)
		s.mu.Unlock()
		s.under.Done()
	}, nil
}

// begin is enter for what must not be done while the database is announced on another bus.
func (s *Store) begin(ctx context.Context) (context.Context, func(), error) {
	if err := s.relay.Err(); err != nil {
		return nil, nil, fmt.Errorf("manifest: %w", err)
	}
	return s.enter(ctx)
}

// why is an error with the reason of it, where that is the end of ctx: drivers have their own words for that.
func (s *Store) why(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	switch {
	case err == nil, cause == nil, errors.Is(err, cause), errors.Is(err, ErrUnknown), refusal(err):
		return err
	case errors.Is(cause, ErrClosed):
		return ErrClosed
	}
	return fmt.Errorf("manifest: %w (%w)", cause, err)
}

// Wait returns a Token that covers the change a ticket stands for, once it has been announced. The publisher forgets what the
// change makes stale before that, here and at once; see [outbox.Relay.Wait].
func (s *Store) Wait(ctx context.Context, t outbox.Ticket) (event.Token, error) {
	ctx, end, err := s.enter(ctx)
	if err != nil {
		return event.Token{}, err
	}
	defer end()
	token, err := s.relay.Wait(ctx, t)
	if err != nil {
		return event.Token{}, fmt.Errorf("manifest: %w", err)
	}
	return token, nil
}

// Ready waits until the database's changes are announced on this process's bus, or ctx ends; the error says why they are not.
// Before that Apply works, and its announcement waits.
func (s *Store) Ready(ctx context.Context) error {
	ctx, end, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := s.relay.Ready(ctx); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	return nil
}

// Outbox says how many changes wait to be announced, for how long, who announces them and why they wait; see
// [outbox.Relay.Status].
func (s *Store) Outbox(ctx context.Context) (outbox.Status, error) {
	ctx, end, err := s.enter(ctx)
	if err != nil {
		return outbox.Status{}, err
	}
	defer end()
	status, err := s.relay.Status(ctx)
	if err != nil {
		return status, fmt.Errorf("manifest: %w", err)
	}
	return status, nil
}

// Collector exports the outbox's metrics: how many changes wait to be announced, and for how long.
func (s *Store) Collector() prometheus.Collector { return s.relay.Collector() }
