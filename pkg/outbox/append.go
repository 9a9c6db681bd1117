package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/propagation"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Tx is what *sql.Tx and *sqlx.Tx have and *sql.DB has not.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	Commit() error
	Rollback() error
}

// Append writes the announcement of targets into tx. It is published after the commit, in order, at least once; never if tx
// rolls back. Who makes the change (event.WithActor, event.WithClaim), why (event.WithReason), the event it is a consequence of
// (event.WithCause, which the ctx of a receiver has) and the trace of ctx go with it.
//
// Write what the targets are about before: the row's number is drawn now, and the order of numbers is the order of changes only
// while the object's row is locked.
//
// No targets: an empty Ticket, nothing is written. A target that can't be published, or more of them than 1,024 events hold: an
// error that wraps event.ErrInvalid and names it, and nothing is written. Any other error is the database's; roll back then.
func Append(ctx context.Context, tx Tx, targets ...event.Target) (Ticket, error) {
	events, err := announce(targets)
	if err != nil {
		return "", err
	}
	return AppendEvents(ctx, tx, events...)
}

// AppendPgx is Append for a transaction of pgx itself.
func AppendPgx(ctx context.Context, tx pgx.Tx, targets ...event.Target) (Ticket, error) {
	events, err := announce(targets)
	if err != nil {
		return "", err
	}
	return write(ctx, events, func(statement string, args []any) error {
		_, err := tx.Exec(ctx, statement, args...)
		return err
	})
}

// AppendEvents writes events as they are, one row each, in their order. Their ids and sources are replaced by the row's and the
// relay's; time, actor, reason and trace are added where they have none. Otherwise it is Append.
func AppendEvents(ctx context.Context, tx Tx, events ...event.Event) (Ticket, error) {
	return write(ctx, events, func(statement string, args []any) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}

// announce makes one event a subject, several where one can't hold all.
func announce(targets []event.Target) ([]event.Event, error) {
	groups, err := event.Group(targets...)
	if err != nil {
		return nil, err
	}
	events := make([]event.Event, len(groups))
	for i, g := range groups {
		events[i].Targets = g
	}
	return events, nil
}

// write checks all, then writes all in one statement: in SQLite a transaction outlives the statement that failed.
func write(ctx context.Context, events []event.Event, exec func(string, []any) error) (Ticket, error) {
	if len(events) == 0 {
		return "", nil
	}
	if len(events) > rowsMost {
		return "", &event.Error{Field: "targets", Problem: fmt.Sprintf("they make %d events, at most %d are taken by one call; "+
			"name whole functions or prefixes, or call several times", len(events), rowsMost)}
	}
	ticket, now := newTicket(len(events)), time.Now()
	trace := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, trace)
	args := make([]any, 0, 4*len(events))
	for i, e := range events {
		r, err := newRow(complete(ctx, e, now, trace), ticket, i)
		if err != nil {
			return "", within(i, len(events), err)
		}
		args = append(args, r.id, string(r.ticket), r.subject, r.event)
	}
	if err := exec(insert(len(events)), args); err != nil {
		return "", fmt.Errorf("outbox: append: %w", err)
	}
	return ticket, nil
}

// complete fills what ctx knows and e does not say.
func complete(ctx context.Context, e event.Event, now time.Time, trace propagation.MapCarrier) event.Event {
	e = event.Caused(ctx, e)
	if e.Time.IsZero() {
		e.Time = now
	}
	e = event.Acted(ctx, e)
	if e.Reason == "" {
		e.Reason = event.ReasonFrom(ctx)
	}
	if len(trace) == 0 || e.Extensions["traceparent"] != "" {
		return e
	}
	all := make(map[string]string, len(e.Extensions)+len(trace)) // the caller's map stays as it is
	for name, value := range e.Extensions {
		all[name] = value
	}
	for name, value := range trace {
		all[name] = value
	}
	e.Extensions = all
	return e
}

// within says which of several events an error is about.
func within(i, n int, err error) error {
	var bad *event.Error
	if n == 1 || !errors.As(err, &bad) {
		return err
	}
	told := *bad
	told.Field = strings.TrimSuffix(fmt.Sprintf("events[%d].%s", i, bad.Field), ".")
	return &told
}

func insert(rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO lethe_outbox (id, ticket, subject, event) VALUES ")
	values(&b, rows, 4)
	return b.String()
}

// values writes rows of columns placeholders: ($1, $2), ($3, $4).
func values(b *strings.Builder, rows, columns int) {
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%columns == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
}
