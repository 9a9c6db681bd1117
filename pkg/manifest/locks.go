package manifest

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// A change takes locks before it writes, all in one statement and in one order, so that no two changes wait for each other:
//
//   - alone, for each object it writes: what it then reads of the object stands until COMMIT, and the numbers it draws (the
//     resourceVersion, those of the outbox) rise in the order in which the changes of the object become visible;
//   - shared, for each object that what it writes refers to, directly or through others, be it there or not: references.go
//     says why;
//   - shared, for the stored kinds it relies on: they don't change, and don't go, under it.
//
// SQLite lets one change into the database at a time and needs none of them. PostgreSQL has advisory locks, which need no row
// and end with the transaction. Their names are hashes: a collision costs waiting.

// lockClass keeps them apart from other locks in the database: "leth".
const lockClass = 0x6c657468

// mostLocks of one change; one of more locks out all others (PostgreSQL's table of locks is small).
const mostLocks = 64

// everything is what each change holds shared, and one of very many objects alone.
const everything = int32(0)

// locks is what a change wants: true = alone.
type locks map[int32]bool

// wide is the one lock of a change that wants too many.
func wide() locks { return locks{everything: true} }

func (l locks) alone(id ident)  { l[id.lock()] = true }
func (l locks) shared(id ident) { l[id.lock()] = l[id.lock()] }

func (i ident) lock() int32 {
	return int32(xxhash.Sum64String(i.tag())>>33) | 1 // 31 bits of it, and never 0
}

// take waits for the locks; they end with tx.
func (e *engine) take(ctx context.Context, tx *sql.Tx, l locks) error {
	if e.lock == "" {
		return nil
	}
	keys := make([]int32, 0, len(l)+1)
	for key := range l {
		keys = append(keys, key)
	}
	if len(keys) > mostLocks {
		l, keys = wide(), nil
	}
	if _, has := l[everything]; !has || len(keys) == 0 {
		keys = append(keys, everything)
	}
	slices.SortFunc(keys, cmp.Compare[int32])
	alone := make([]bool, len(keys))
	for i, key := range keys {
		alone[i] = l[key]
	}
	rows, err := tx.QueryContext(ctx, e.lock, lockClass, keys, alone)
	if err != nil {
		return broken(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() { // each row is a lock taken
	}
	return broken(rows.Err())
}

// more waits for locks that a change finds out later that it needs, all of them shared. errMoved: they are too many, and w is wide.
func (w *writing) more(ctx context.Context, tx *sql.Tx, l locks) error {
	if w.db.lock == "" || w.wide {
		return nil
	}
	maps.DeleteFunc(l, func(key int32, _ bool) bool {
		_, has := w.held[key]
		return has
	})
	if len(l) == 0 {
		return nil
	}
	maps.Copy(w.held, l)
	if len(w.held) > mostLocks {
		w.wide = true // to lock out all others from the start: now they may be waiting for this one
		return errMoved
	}
	return w.db.take(ctx, tx, l)
}

// takeBelow locks, shared, what the objects that ids name refer to, and what those do, to the end. What is locked can't refer to
// anything else any more, so that each step is read under the locks of the one before.
func (w *writing) takeBelow(ctx context.Context, tx *sql.Tx, ids []ident) error {
	if w.db.below == "" || w.wide {
		return nil
	}
	seen := map[ident]bool{}
	for level := ids; len(level) > 0; {
		for _, id := range level {
			seen[id] = true
		}
		found, err := w.refersTo(ctx, tx, level)
		if err != nil {
			return err
		}
		l, next := locks{}, level[:0:0]
		for _, id := range found {
			if !seen[id] {
				l.shared(id)
				next = append(next, id)
			}
		}
		if err := w.more(ctx, tx, l); err != nil {
			return err
		}
		level = next
	}
	return nil
}

func (w *writing) refersTo(ctx context.Context, tx *sql.Tx, ids []ident) ([]ident, error) {
	families, namespaces, names := make([]string, len(ids)), make([]string, len(ids)), make([]string, len(ids))
	for i, id := range ids {
		families[i], namespaces[i], names[i] = id.family, id.namespace, id.name
	}
	rows, err := tx.QueryContext(ctx, w.db.below, families, namespaces, names)
	if err != nil {
		return nil, broken(err)
	}
	return idents(rows)
}
