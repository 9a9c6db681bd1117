package outbox_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

const childPlan = "LETHE_OUTBOX_CHILD"

// plan is what a process does until it kills itself.
type plan struct {
	Driver, DSN, NATS string
	Skew              time.Duration // of its clock
	Point             string        // where it dies: appended, committed, published or settled
	After             int           // times that it passes there before; negative = it lives on
}

// products that are written, each with a family of tags of its own.
const products = 4

// quick are the times of relays that are killed by the dozen.
func quick() outbox.Times {
	return outbox.Times{
		Look: 5 * time.Millisecond, Beat: 50 * time.Millisecond, Fresh: 500 * time.Millisecond, Silent: 800 * time.Millisecond,
		Backoff: 5 * time.Millisecond,
	}
}

// child writes and relays until it dies at its point. It returns only when something is wrong.
func child(text string) int {
	var p plan
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.live(context.Background())
	}
	fmt.Fprintln(os.Stderr, "child:", err)
	return 3
}

func (p *plan) live(ctx context.Context) error {
	db, err := sql.Open(p.Driver, p.DSN)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	nc, err := bus.Dial(p.NATS, log)
	if err != nil {
		return err
	}
	base := time.Now()
	b, err := bus.Open(ctx, bus.Config{
		Conn: nc, Fleet: fleet, Name: "child", Source: "/lethe/shop/child", PublishOnly: true, Logger: log,
		Now: func() int64 { return int64(time.Since(base)) + 1 },
	})
	if err != nil {
		return err
	}
	hooks := outbox.Hooks{Published: p.die("published"), Settled: p.die("settled")}
	r, err := outbox.StartRelayWith(ctx, db, &station{Bus: b, nc: nc}, outbox.RelayConfig{Logger: log, Poll: 50 * time.Millisecond}, quick(), hooks)
	if err != nil {
		return err
	}
	appended, committed := p.die("appended"), p.die("committed")
	for {
		if err := p.change(ctx, db, appended); err != nil {
			if strings.Contains(err.Error(), "deadlock") || strings.Contains(err.Error(), "locked") {
				continue
			}
			return err
		}
		committed()
		r.Wake()
		<-time.After(rand.N(8 * time.Millisecond)) // SQLite's locks are not fair: who never rests leaves others none
	}
}

// die kills the process when it is called once more than the plan allows.
func (p *plan) die(point string) func() {
	var passed atomic.Int64
	return func() {
		if p.Point == point && p.After >= 0 && passed.Add(1) > int64(p.After) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// change is one change of a product with its announcement. What is announced names the change, so that a change that was
// announced and did not commit can be told from one that did.
func (p *plan) change(ctx context.Context, db *sql.DB, appended func()) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	sku := rand.N(products)
	if _, err := tx.ExecContext(ctx, "UPDATE products SET changes = changes + 1 WHERE sku = $1", fmt.Sprint(sku)); err != nil {
		return err
	}
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT changes FROM products WHERE sku = $1", fmt.Sprint(sku)).Scan(&n); err != nil {
		return err
	}
	tag := fmt.Sprintf("p%d:%d-%s", sku, n, event.NewID())
	if _, err := tx.ExecContext(ctx, "INSERT INTO changes (sku, change, tag) VALUES ($1, $2, $3)", fmt.Sprint(sku), n, tag); err != nil {
		return err
	}
	now := time.Now().Add(p.Skew)
	ticket, err := outbox.AppendEvents(ctx, tx, event.Event{Time: now, Targets: []event.Target{event.Tag(tag)}})
	if err != nil {
		return err
	}
	// The id is made by the clock of this process too.
	if _, err := tx.ExecContext(ctx, "UPDATE lethe_outbox SET id = $1 WHERE ticket = $2", idAt(now), string(ticket)); err != nil {
		return err
	}
	appended()
	if rand.N(8) == 0 {
		return tx.Rollback()
	}
	return tx.Commit()
}

// idAt is a UUIDv7 of a moment.
func idAt(at time.Time) string {
	id := uuid.Must(uuid.NewV7())
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id.String()
}
