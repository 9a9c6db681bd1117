package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// ErrUnknown says that the connection was lost while the change was being committed: it may have happened, completely and
// announced, or not at all. Apply it again: what was done already is Unchanged then, and a Delete says ErrNotFound.
var ErrUnknown = errors.New("manifest: the outcome is unknown: the connection to the database was lost during the commit; do it again, that is safe")

const (
	mostLost   = 3                // tries of a change whose connection is lost before COMMIT
	mostTries  = 20               // of a change that others get in the way of
	mostCommit = 15 * time.Second // a COMMIT that is not answered for so long has an unknown outcome
	mostWait   = time.Second      // for the token
)

// errMoved: what a plan was made from does not stand any more.
var errMoved = errors.New("manifest: it was changed by others meanwhile")

// planner reads and works out what to write; it may be called several times.
type planner func(context.Context, querier) (*plan, error)

// write carries out what a planner says. The plan is made before the transaction and outside of any turn, so that neither checks nor
// the functions of kinds, which are other people's, hold up what others write. If what it was made from has changed by the time
// everything is locked, it is made again; when that has happened three times, inside, for a quarter of a second at most.
func (s *Store) write(ctx context.Context, dry bool, replan planner) ([]Result[json.RawMessage], error) {
	w, err := s.do(ctx, dry, replan)
	if err != nil {
		return nil, err
	}
	return w.results(), nil
}

func (s *Store) do(ctx context.Context, dry bool, replan planner) (*writing, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	w := &writing{Store: s, replan: replan, dry: dry}
	if err := w.run(ctx); err != nil {
		return nil, s.why(ctx, err)
	}
	if dry || w.ticket == "" {
		return w, nil
	}
	waited, cancel := context.WithTimeout(ctx, mostWait)
	defer cancel()
	if token, err := s.relay.Wait(waited, w.ticket); err == nil { // committed it is, token or not
		w.token = token
	}
	return w, nil
}

// writing is one write under way.
type writing struct {
	*Store
	replan planner
	dry    bool
	wide   bool // it needs so many locks that it locks out all others

	plan    *plan
	differs map[*change]differing // of the plan, for the journal
	known   map[ident]acceptance  // what kinds that are written say of stored objects
	held    locks                 // in the transaction under way
	mended  []ident               // of a kind that is written: stored objects that refer to something else by it
	number  int64
	events  []event.Event
	ticket  outbox.Ticket
	token   event.Token
}

// run tries until it is done, or it is clear that it can't be.
func (w *writing) run(ctx context.Context) error {
	var err error
	for try := range mostTries {
		if try > 0 && !errors.Is(err, errMoved) {
			pause(ctx, min(time.Duration(1)<<try*time.Millisecond, 200*time.Millisecond))
		}
		// From then on every second plan is made inside, so that nobody is got in the way of for ever.
		inside := !w.dry && try >= triesOutside && (try-triesOutside)%2 == 0
		err = w.attempt(ctx, inside)
		switch {
		case err == nil, ctx.Err() != nil:
			return err
		case errors.Is(err, ErrUnknown):
			return err
		case errors.Is(err, errMoved), w.db.again(err), try+1 < mostLost && w.db.lost(err):
			continue
		}
		return err
	}
	return gaveUp(err)
}

// gaveUp is the end of a call that others got in the way of too often.
func gaveUp(err error) error {
	return &Error{Reason: fmt.Sprintf("others kept getting in the way, %d times; try again", mostTries), Err: errors.Join(ErrConflict, err)}
}

// forget tells the publisher what is stale, and the relay that there is something to do. It comes after COMMIT: a value loaded
// between an earlier one and the commit would be the old one.
func (w *writing) forget() {
	if f, ok := w.publisher.(interface{ Forget(targets ...event.Target) }); ok {
		var all []event.Target
		for i := range w.events {
			all = append(all, w.events[i].Targets...)
		}
		f.Forget(all...)
		w.relay.Forgot(w.ticket)
	}
	w.relay.Wake()
}

func (w *writing) results() []Result[json.RawMessage] {
	all := make([]Result[json.RawMessage], len(w.plan.changes))
	for i, c := range w.plan.changes {
		if w.dry {
			c.undo()
		}
		all[i] = Result[json.RawMessage]{Action: c.action, Manifest: c.next}
		if !w.dry {
			all[i].Ticket, all[i].Token = w.ticket, w.token
		}
	}
	return all
}

// undo takes back what only a committed change has.
func (c *change) undo() {
	m := &c.next.Metadata
	m.ResourceVersion = ""
	if c.old != nil {
		m.ResourceVersion = c.old.Metadata.ResourceVersion
	} else {
		m.UID, m.Created = "", time.Time{}
	}
}
