package outbox

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what a round takes from behind a full batch.
const (
	othersMost = 32 // subjects that a round looks at
	othersRows = 8  // rows of each
)

// others reads the first rows of subjects that the batch has none of. A full batch may be of one subject alone, and thousands of its
// rows may wait: a row of another subject goes with the next round all the same. Each call goes on behind the subject at which the
// one before ended, so with more subjects than one call looks at, all have their turn.
func (r *Relay) others(ctx context.Context, batch []*queued, held []string) ([]*queued, error) {
	w := &r.work
	subjects, err := r.subjectsAfter(ctx, w.other)
	if err != nil {
		return nil, err
	}
	w.other = ""
	if len(subjects) == othersMost {
		w.other = subjects[len(subjects)-1]
	}
	passed := make(map[string]bool) // lanes that are in the batch, wait, or are asked for already
	for _, q := range batch {
		passed[q.lane()] = true
	}
	for _, subject := range held {
		passed[(&row{subject: subject}).lane()] = true
	}
	var wanted []string
	for _, subject := range subjects {
		if lane := (&row{subject: subject}).lane(); !passed[lane] {
			passed[lane] = true
			wanted = append(wanted, subjectsOf(lane)...)
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	return r.firstOf(ctx, wanted)
}

// subjectsAfter reads which subjects have rows that wait, in the database's order of texts, at the cost of one look into an index each.
func (r *Relay) subjectsAfter(ctx context.Context, last string) ([]string, error) {
	const next = "(SELECT min(subject) FROM lethe_outbox WHERE parked IS NULL AND subject > "
	//nolint:gosec // of constants
	rows, err := r.db.QueryContext(ctx, "WITH RECURSIVE s (subject, n) AS (SELECT "+next+"$1), 1 UNION ALL SELECT "+next+"s.subject), s.n + 1 FROM s "+
		"WHERE s.subject IS NOT NULL AND s.n < "+strconv.Itoa(othersMost)+") SELECT subject FROM s WHERE subject IS NOT NULL", last)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var subject string
		if err := rows.Scan(&subject); err != nil {
			return nil, err
		}
		all = append(all, subject)
	}
	return all, rows.Err()
}

// firstOf reads the first rows of each of some subjects, in the order of their numbers. Of a lane with several subjects a row comes
// only if all that stand before it do.
func (r *Relay) firstOf(ctx context.Context, subjects []string) ([]*queued, error) {
	var b strings.Builder
	asked := padded(subjects)
	args := make([]any, len(asked))
	for i, subject := range asked {
		if args[i] = subject; i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT * FROM (SELECT " + columns + " FROM lethe_outbox WHERE parked IS NULL AND subject = $" +
			strconv.Itoa(i+1) + " ORDER BY number LIMIT " + strconv.Itoa(othersRows) + ") AS s" + strconv.Itoa(i+1))
	}
	rows, err := r.read(ctx, b.String(), args...)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b *queued) int { return cmp.Compare(a.number, b.number) })
	rows = slices.CompactFunc(rows, func(a, b *queued) bool { return a.number == b.number }) // the last was asked for several times
	read, ends := make(map[string]int), make(map[string]bool)
	return slices.DeleteFunc(rows, func(q *queued) bool {
		lane := q.lane()
		if ends[lane] {
			return true
		}
		read[q.subject]++
		ends[lane] = read[q.subject] == othersRows // more of this subject may come before the next of another
		return false
	}), nil
}
