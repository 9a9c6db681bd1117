package manifest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// try is one transaction. inside says where the plan is made.
func (w *writing) try(ctx context.Context, inside bool) error {
	w.number, w.events, w.ticket, w.mended, w.held = 0, nil, "", nil, locks{}
	last := w.plan
	if !inside {
		var err error
		if w.plan, err = w.replan(ctx, w.db.read); err != nil {
			return err
		}
		if w.plan.idle() {
			return w.plan.stands(ctx, w.db.read, false)
		}
	}
	// ctx ends the transaction until COMMIT begins, and not then: nobody could tell what has happened.
	long, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	release := context.AfterFunc(ctx, cancel)
	defer release()
	tx, err := w.db.write.BeginTx(long, &w.db.options)
	if err != nil {
		return broken(err)
	}
	defer func() { _ = tx.Rollback() }()
	if inside {
		if last != nil {
			if err := w.lock(ctx, tx, last, true); err != nil {
				return err
			}
		}
		if w.plan, err = w.replan(ctx, tx); err != nil {
			return err
		}
		if w.plan.idle() {
			return w.plan.stands(ctx, tx, false)
		}
	}
	if err := w.carryOut(ctx, tx); err != nil {
		return err
	}
	if w.dry {
		return nil
	}
	if !release() {
		return context.Cause(ctx)
	}
	if w.beforeCommit != nil {
		w.beforeCommit()
	}
	stop := time.AfterFunc(mostCommit, cancel)
	defer stop.Stop()
	err = tx.Commit()
	if err != nil && !w.db.unknown(err) {
		return broken(err)
	}
	w.forget()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return nil
}

// carryOut writes the plan, and with it what is to be announced.
func (w *writing) carryOut(ctx context.Context, tx *sql.Tx) error {
	if err := w.lock(ctx, tx, w.plan, false); err != nil {
		return err
	}
	if err := w.plan.stands(ctx, tx, false); err != nil {
		return err
	}
	ordered := w.plan.ordered()
	if err := tx.QueryRowContext(ctx, w.db.number).Scan(&w.number); err != nil {
		return broken(err)
	}
	for _, c := range ordered {
		if err := w.put(ctx, tx, c); err != nil {
			return err
		}
	}
	for _, c := range ordered {
		if err := w.acceptStored(ctx, tx, c); err != nil {
			return err
		}
	}
	var err error
	if w.events, err = w.announcement(ctx, tx, ordered); err != nil {
		return err
	}
	w.ticket, err = outbox.AppendEvents(ctx, tx, w.events...)
	switch {
	case errors.Is(err, event.ErrInvalid):
		return &Error{Reason: "the change can't be announced", Err: err}
	case err != nil:
		return broken(err)
	}
	return nil
}

// lock waits for all that a plan needs to stand still; again says that the plan is made anew after that.
func (w *writing) lock(ctx context.Context, tx *sql.Tx, p *plan, again bool) error {
	l := p.locks(again)
	if w.wide = w.wide || len(l) > mostLocks; w.wide {
		l = wide()
	}
	maps.Copy(w.held, l)
	if err := w.db.take(ctx, tx, l); err != nil {
		return err
	}
	var refs []ident
	for _, c := range p.changes {
		refs = append(refs, targetsOf(c.refs)...)
	}
	return w.takeBelow(ctx, tx, refs)
}

// put writes one object, what it refers to, and the names of a kind.
func (w *writing) put(ctx context.Context, tx *sql.Tx, c *change) error {
	switch {
	case c.adds:
		return addReferences(ctx, tx, c.id, targetsOf(c.refs))
	case c.action == Unchanged || c.action == Invalidated:
		return nil
	}
	c.next.Metadata.ResourceVersion = strconv.FormatInt(w.number, 10)
	var (
		done bool
		err  error
	)
	switch c.action {
	case Created:
		done, err = insert(ctx, tx, c.id, c.next, w.number)
	case Deleted:
		done, err = remove(ctx, tx, c.id, c.old.version)
	default:
		done, err = update(ctx, tx, c.id, c.next, c.old.version, w.number)
	}
	if err == nil && !done {
		err = errMoved
	}
	switch {
	case err != nil:
	case c.action == Deleted:
		err = replaceReferences(ctx, tx, c.id, nil)
	case c.moved:
		err = changeReferences(ctx, tx, c.id, c.was, c.refs)
	}
	if err == nil && c.id.family == kindFamily {
		err = w.putNames(ctx, tx, c)
	}
	return err
}
