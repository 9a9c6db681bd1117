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

// Bounds of a plan that is made inside the transaction.
const (
	triesOutside = 3                      // tries before that: others have to get in the way of each
	mostInside   = 250 * time.Millisecond // it holds a turn: what takes longer gives it back and is made outside again
)

// attempt makes a plan and carries it out, once. inside says where the plan is made.
func (w *writing) attempt(ctx context.Context, inside bool) error {
	w.number, w.events, w.ticket, w.mended, w.held = 0, nil, "", nil, locks{}
	if !inside {
		if err := w.prepare(ctx); err != nil || w.dry || w.plan.idle() {
			return err
		}
		w.differences()
	}
	select {
	case w.db.turns <- struct{}{}:
		defer func() { <-w.db.turns }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if inside && !w.db.inTx { // nobody else can change anything while this one has the turn
		p, err := w.planShort(ctx, w.db.read)
		if err != nil {
			return err
		}
		w.plan, inside = p, false
		if p.idle() {
			return p.stands(ctx, w.db.read, false)
		}
		w.differences()
	}
	return w.try(ctx, inside)
}

// prepare makes the plan outside of any turn, and finds what would be refused. Of a plan that is not carried out it checks
// that all that it was made from stood at one moment.
func (w *writing) prepare(ctx context.Context) error {
	var err error
	if w.plan, err = apart(ctx, w.Store, func(ctx context.Context) (*plan, error) { return w.replan(ctx, w.db.read) }); err != nil {
		return err
	}
	if w.plan.idle() {
		return w.plan.stands(ctx, w.db.read, w.dry)
	}
	ahead := &writing{Store: w.Store, plan: w.plan, dry: w.dry} // it may be left alone with this
	if _, err = apart(ctx, w.Store, func(ctx context.Context) (struct{}, error) { return struct{}{}, ahead.rehearse(ctx) }); err != nil {
		return err
	}
	w.known = ahead.known
	if !w.dry {
		return nil
	}
	if err := w.announceable(ctx); err != nil {
		return err
	}
	return w.plan.stands(ctx, w.db.read, true)
}

// planShort makes the plan in a turn, where others have got in the way of those made outside. What was found out about the documents
// themselves is known from before.
func (w *writing) planShort(ctx context.Context, q querier) (*plan, error) {
	short, cancel := context.WithTimeoutCause(ctx, mostInside, errMoved)
	defer cancel()
	p, err := apart(short, w.Store, func(ctx context.Context) (*plan, error) { return w.replan(ctx, q) })
	if err != nil && short.Err() != nil && ctx.Err() == nil && !refusal(err) {
		return nil, errMoved
	}
	return p, err
}

// try is one transaction.
func (w *writing) try(ctx context.Context, inside bool) error {
	last := w.plan
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
		if w.plan, err = w.planShort(ctx, tx); err != nil {
			w.plan = last
			return err
		}
		if w.plan.idle() {
			return w.plan.stands(ctx, tx, false)
		}
		w.differences()
	}
	if err := w.carryOut(ctx, tx); err != nil {
		return err
	}
	if !release() {
		return context.Cause(ctx)
	}
	// The timer of ctx fires late in a process that stood still, and its caller has left by then.
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return context.DeadlineExceeded
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
	if w.ticket, err = outbox.AppendEvents(ctx, tx, w.events...); err != nil {
		return cantAnnounce(err)
	}
	return w.note(ctx, tx, ordered)
}

// cantAnnounce is the error of an announcement that is not written.
func cantAnnounce(err error) error {
	if errors.Is(err, event.ErrInvalid) {
		return &Error{Reason: "the change can't be announced", Err: err}
	}
	return broken(err)
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
