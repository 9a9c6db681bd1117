package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

const sku = "sku-42"

// world is the bus, the database and two replicas.
type world struct {
	out     io.Writer
	folder  string
	address string // of the bus
	bus     *embedded.Server
	db      *sql.DB
	one     *service
	two     *service
	ticket  outbox.Ticket // of the write during the outage
}

func newWorld(ctx context.Context, out io.Writer) (w *world, err error) {
	w = &world{out: out}
	defer func() {
		if err != nil {
			err = join(err, w.close())
		}
	}()
	if w.folder, err = os.MkdirTemp("", "lethe-outage-"); err != nil {
		return w, err
	}
	if err := w.startBus(ctx, "127.0.0.1:0"); err != nil {
		return w, err
	}
	w.address = strings.TrimPrefix(w.bus.URL(), "nats://")
	w.db, err = sql.Open("sqlite", "file:"+filepath.Join(w.folder, "shop.db")+
		"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return w, err
	}
	if err := outbox.Migrate(ctx, w.db); err != nil {
		return w, err
	}
	_, err = w.db.ExecContext(ctx, "CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT NOT NULL, stock INTEGER NOT NULL); "+
		"INSERT INTO products VALUES ('"+sku+"', 'Lamp', 8)")
	if err != nil {
		return w, err
	}
	if w.one, err = newService(ctx, w.bus.URL(), "one", w.db); err != nil {
		return w, err
	}
	w.two, err = newService(ctx, w.bus.URL(), "two", w.db)
	return w, err
}

func (w *world) startBus(ctx context.Context, address string) (err error) {
	w.bus, err = embedded.Start(ctx, embedded.Config{StateDir: filepath.Join(w.folder, "nats"), Listen: address})
	return err
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(w.out, format+"\n", args...) }

// before: both replicas answer from memory.
func (w *world) before(ctx context.Context) error {
	for _, s := range []*service{w.one, w.two} {
		if err := join(s.node.Ready(ctx), s.relay.Ready(ctx)); err != nil {
			return err
		}
		for range 2 {
			if _, err := w.read(ctx, s); err != nil {
				return err
			}
		}
		said, err := w.read(ctx, s)
		if err != nil {
			return err
		}
		w.say("  %s: %s", s.node.Status().Name, said)
	}
	return nil
}

// read is what a replica has, and where it had it from.
func (w *world) read(ctx context.Context, s *service) (string, error) {
	name, err := s.name.Lookup(ctx, sku)
	if err != nil {
		return "", err
	}
	stock, err := s.stock.Lookup(ctx, sku)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("name %q (%s), stock %d (%s)", name.Value, name.Cache, stock.Value, stock.Cache), nil
}

// away: the bus is gone. Within MaxStaleness a replica may still answer from memory; then it knows that it may have missed
// something, and follows each function's policy.
func (w *world) away(ctx context.Context) error {
	if err := w.bus.Close(); err != nil {
		return err
	}
	w.say("the bus is away")
	for _, s := range []*service{w.one, w.two} {
		err := until(ctx, func() bool { return s.node.Status().State == lethe.Expired })
		if err != nil {
			return err
		}
		said, err := w.read(ctx, s)
		if err != nil {
			return err
		}
		w.say("  %s: %s", s.node.Status().Name, said)
	}
	return nil
}

// write: one way to write is told that nobody has heard of it; the other commits, and need not know.
func (w *world) write(ctx context.Context) error {
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := w.one.sell(soon, sku)
	if !errors.Is(err, lethe.ErrNotPublished) {
		return fmt.Errorf("the bus is away, and sell says %w", err)
	}
	w.say("  sold, not announced: errors.Is(err, lethe.ErrNotPublished)")
	if w.ticket, err = w.one.rename(ctx, sku, "Desk lamp"); err != nil {
		return err
	}
	if _, err := w.one.relay.Wait(soon, w.ticket); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the bus is away, and a row was announced: %w", err)
	}
	w.say("  renamed and committed: its announcement waits in the outbox")
	said, err := w.read(ctx, w.two)
	if err != nil {
		return err
	}
	w.say("  two: %s", said)
	return nil
}

// back: what waits in the outbox is announced by itself, and both replicas answer from memory again.
func (w *world) back(ctx context.Context) error {
	err := until(ctx, func() bool { return w.startBus(ctx, w.address) == nil })
	if err != nil {
		return err
	}
	w.say("the bus is back")
	token, err := w.one.relay.Wait(ctx, w.ticket)
	if err != nil {
		return err
	}
	for _, s := range []*service{w.one, w.two} {
		if err := join(s.node.Ready(ctx), s.node.Wait(ctx, token)); err != nil {
			return err
		}
	}
	// The new name is everywhere. Of the sale two has not heard, and so what it remembers counts as current.
	if err := w.shows(ctx, w.two, `name "Desk lamp" (hit), stock 8 (hit)`); err != nil {
		return err
	}
	if err := w.one.announce(ctx, sku); err != nil {
		return err
	}
	w.say("  the sale is announced again")
	for _, s := range []*service{w.one, w.two} {
		if err := w.shows(ctx, s, `name "Desk lamp" (hit), stock 7 (hit)`); err != nil {
			return err
		}
	}
	return nil
}

// shows waits until a replica has that.
func (w *world) shows(ctx context.Context, s *service, want string) error {
	var said string
	var failed error
	err := until(ctx, func() bool {
		said, failed = w.read(ctx, s)
		return failed != nil || said == want
	})
	if err = join(err, failed); err != nil {
		return fmt.Errorf("%s: %s: %w", s.node.Status().Name, said, err)
	}
	w.say("  %s: %s", s.node.Status().Name, said)
	return nil
}

// until waits for a condition, a minute at most.
func until(ctx context.Context, good func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !good() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func (w *world) close() (err error) {
	for _, s := range []*service{w.one, w.two} {
		if s != nil {
			err = join(err, s.close())
		}
	}
	if w.db != nil {
		err = join(err, w.db.Close())
	}
	if w.bus != nil {
		if closed := w.bus.Close(); closed != nil && !errors.Is(closed, net.ErrClosed) {
			err = join(err, closed)
		}
	}
	return join(err, os.RemoveAll(w.folder))
}
