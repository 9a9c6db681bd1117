package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// waitMost bounds how long one question is waited for; the asker repeats it.
const waitMost = 30 * time.Second

// inlineMost is how many members an answer tells without being asked to.
const inlineMost = 64

// asked answers a question.
func (f *Fleet) asked(msg *nats.Msg) {
	q, err := read[question](msg.Data, maxQuestion)
	if !Answerable(msg.Reply) || f.life.Err() != nil {
		return
	}
	if err != nil {
		f.reply(msg.Reply, answer{Member: f.self(), Problem: err.Error()})
		return
	}
	if len(q.Only) > 0 && !slices.Contains(q.Only, f.cfg.Instance) {
		return
	}
	if q.Few > 0 && rand.N(f.size()) >= q.Few { //nolint:gosec // a sample is no secret
		return
	}
	if !f.limits.may(f.now()) {
		return // its asker asks again in a second
	}
	applied := q.Token.IsZero() || f.cfg.Reached(q.Token)
	f.tell(msg.Reply, q, applied)
	if applied {
		return
	}
	select {
	case f.waits <- struct{}{}:
	default:
		return // too many; it will be asked again
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		<-f.waits
		return
	}
	f.wg.Go(func() {
		defer func() { <-f.waits }()
		f.wait(msg.Reply, q)
	})
}

// Answerable refuses subjects that are nobody's inbox: an answer there would be said with this node's rights, where its asker
// may have none.
func Answerable(reply string) bool {
	return reply != "" && !strings.HasPrefix(reply, "lethe.") && !strings.HasPrefix(reply, "$")
}

// wait answers once more when the token is applied.
func (f *Fleet) wait(reply string, q question) {
	limit := waitMost
	if q.ForMs > 0 {
		limit = min(limit, time.Duration(q.ForMs)*time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(f.life, limit)
	defer cancel()
	switch err := f.cfg.Wait(ctx, q.Token); {
	case err == nil:
		f.reply(reply, answer{Member: f.self(), Applied: true})
	case errors.Is(err, event.ErrInvalid):
		f.reply(reply, answer{Member: f.self(), Problem: err.Error()})
	}
}

// tell is the first answer, with the roster unless the asker has the same or it is too large to be told unasked.
func (f *Fleet) tell(reply string, q question, applied bool) {
	self := f.self()
	a, all := f.first(self, q)
	a.Applied = applied
	if len(all) == 0 {
		f.reply(reply, a)
		return
	}
	for chunk := range slices.Chunk(all, chunkMost) {
		all = all[len(chunk):]
		a.Roster, a.Left = nil, len(all)
		for _, m := range chunk {
			a.Roster = append(a.Roster, brief(m))
		}
		f.reply(reply, a)
	}
}

// first is the first answer, and what of the roster goes with it.
func (f *Fleet) first(self Member, q question) (a answer, all []Member) {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roster.hear(self, now)
	a = answer{Member: self, Seasoned: f.seasoned && !f.roster.full, Hash: f.roster.hash()}
	for _, d := range f.roster.gone {
		a.Gone = append(a.Gone, Member{Node: d.node, Instance: d.instance})
	}
	if q.Token.IsZero() && q.Few == 0 {
		a.Absent = f.absent.told(now)
	}
	if a.Hash != q.Roster && (len(f.roster.members) <= inlineMost || q.Tell && f.limits.whole.may(now)) {
		all = f.roster.list(now)
	}
	return a, all
}

func (f *Fleet) reply(to string, a answer) {
	body, err := json.Marshal(a)
	if err == nil {
		err = f.cfg.Conn.Publish(to, body)
	}
	if err != nil {
		f.cfg.Logger.Debug("could not answer the fleet", "error", err)
	}
}
