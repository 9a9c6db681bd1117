package outbox

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// doneMost is how many of the last rows' tickets can be waited for in another process than the one that published them.
const doneMost = 100_000

// settle takes away what is stored in the stream and parks what is refused for good, in one transaction. It says how many rows
// are out of the way. A trial parks nothing: the worker may be allowed what this relay is not.
func (r *Relay) settle(now turn, tried []*queued) (int, error) {
	var acked, refused []*queued
	for _, q := range tried {
		switch {
		case q.acked:
			acked = append(acked, q)
			r.work.acked[q.id] = q.token
		case permanent(q.failed):
			if !q.again && now.trial == 0 {
				refused = append(refused, q)
			}
		default:
			r.log.Debug("a row is not published yet", "id", q.id, "subject", q.subject, "error", q.failed)
		}
	}
	if len(acked)+len(refused) == 0 {
		return 0, nil
	}
	r.hooks.published.call()
	ctx, cancel := r.answering()
	defer cancel()
	err := r.transact(ctx, func(tx *sql.Tx) error {
		if len(acked) > 0 {
			if err := r.remove(ctx, tx, now.at, acked); err != nil {
				return err
			}
		}
		for _, q := range refused {
			if _, err := tx.ExecContext(ctx, "UPDATE lethe_outbox SET parked = $1 WHERE id = $2", reason(q.failed), q.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, q := range acked {
		delete(r.work.acked, q.id)
		delete(r.work.told, q.id)
	}
	r.hooks.settled.call()
	for _, q := range refused {
		r.log.Error("an announcement is refused for good; it is parked, and tried again now and then", "id", q.id, "subject", q.subject, "error", q.failed)
		r.tickets.refused(q.ticket, q.failed)
	}
	return len(acked) + len(refused), nil
}

// reason is what is kept of an error, as text that every database takes.
func reason(err error) string {
	const most = 1 << 10
	text := err.Error()
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
}

// remove deletes rows and keeps where they are in the stream.
func (r *Relay) remove(ctx context.Context, tx *sql.Tx, at place, acked []*queued) error {
	acked = padded(acked)
	ids := make([]any, 0, len(acked))
	places := make([]any, 0, 6*len(acked))
	highest := int64(0)
	for _, q := range acked {
		fleet, epoch := at.fleet, at.epoch
		if !q.token.IsZero() {
			fleet, epoch = q.token.Fleet(), q.token.Epoch()
		}
		ids = append(ids, q.id)
		places = append(places, q.id, q.number, string(q.ticket), fleet, epoch, int64(q.token.Sequence()))
		highest = max(highest, q.number)
	}
	done, err := tx.ExecContext(ctx, deleteRows(len(acked)), ids...)
	if err != nil {
		return err
	}
	if err := r.missing(ctx, tx, done, ids, acked); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, insertDone(len(acked)), places...); err != nil {
		return err
	}
	if r.work.unpruned += len(acked); r.work.unpruned < doneMost/10 {
		return nil
	}
	r.work.unpruned = 0
	if _, err := tx.ExecContext(ctx, "DELETE FROM lethe_outbox_announced WHERE number <= $1", highest-doneMost); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM lethe_outbox_done WHERE number <= $1", highest-doneMost)
	return err
}

// missing notes when rows that are stored in the stream were not there to be taken away, and no other relay has done that: the database
// has gone back to a state in which they had not been committed.
func (r *Relay) missing(ctx context.Context, tx *sql.Tx, deleted sql.Result, ids []any, acked []*queued) error {
	there, err := deleted.RowsAffected()
	if err != nil {
		return err
	}
	want, tickets := make(map[string]bool, len(acked)), make([]any, len(acked))
	for i, q := range acked {
		want[q.id], tickets[i] = true, string(q.ticket)
	}
	if int(there) >= len(want) {
		return nil
	}
	var byOthers, byFirst int
	//nolint:gosec // of placeholders
	row := tx.QueryRowContext(ctx, "SELECT count(*) FROM lethe_outbox_announced WHERE id IN "+list(len(ids)), ids...)
	if err := row.Scan(&byOthers); err != nil {
		return err
	}
	//nolint:gosec // the same
	row = tx.QueryRowContext(ctx, "SELECT count(*) FROM lethe_outbox_done WHERE ticket IN "+list(len(tickets)), tickets...)
	if err := row.Scan(&byFirst); err != nil {
		return err
	}
	if int(there)+byOthers+byFirst < len(want) {
		for _, q := range acked { // they were read in one life, or in two; the later one counts
			r.memory.note(loss{q.life, lostPublished})
		}
		poke(r.beatNow)
	}
	return nil
}

func deleteRows(n int) string { return "DELETE FROM lethe_outbox WHERE id IN " + list(n) }

func insertDone(n int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO lethe_outbox_announced (id, number, ticket, fleet, epoch, sequence) VALUES ")
	values(&b, n, 6)
	b.WriteString(" ON CONFLICT DO NOTHING") // another relay was at it too
	return b.String()
}

// padded repeats the last of s until there is a power of two of them: the database keeps a plan for each text of a statement.
func padded[T any](s []T) []T {
	n := 1
	for n < len(s) {
		n *= 2
	}
	all := make([]T, 0, n)
	all = append(all, s...)
	for len(all) < n {
		all = append(all, s[len(s)-1])
	}
	return all
}

// list is n placeholders: ($1, $2).
func list(n int) string {
	var b strings.Builder
	for i := range n {
		if i == 0 {
			b.WriteString("($")
		} else {
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}
