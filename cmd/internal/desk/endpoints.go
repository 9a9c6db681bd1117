package desk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/internal/document"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Endpoints is what one of the nodes with a database answers over NATS.
func (d *Desk) Endpoints() (all []ctl.Endpoint) {
	for what, answer := range map[string]func(context.Context, ctl.Question) (any, error){
		ctl.Apply: func(ctx context.Context, q ctl.Question) (any, error) {
			dryRun, err := truth(q, ctl.DryRunHeader)
			if err != nil {
				return nil, err
			}
			if err := ofItsKind(q); err != nil {
				return nil, err
			}
			return d.Apply(ctx, q.Body, dryRun)
		},
		ctl.Diff: func(ctx context.Context, q ctl.Question) (any, error) {
			if err := ofItsKind(q); err != nil {
				return nil, err
			}
			return d.Diff(ctx, q.Body)
		},
		ctl.Delete:     ofKind(d, kindOfName, d.Delete),
		ctl.SetStatus:  ofKind(d, func(c *ctl.StatusChange) *string { return &c.Kind }, d.SetStatus),
		ctl.Invalidate: ofKind(d, kindOfName, d.Invalidate),
		ctl.Get:        ofKind(d, kindOfName, d.read),
		ctl.List: func(ctx context.Context, q ctl.Question) (any, error) {
			var query ctl.Query
			if err := read(q.Body, &query); err != nil {
				return nil, err
			}
			if err := d.only(ctx, q, &query.Kind); err != nil {
				return nil, err
			}
			return d.Query(ctx, query, q.MaxAnswer-forPage)
		},
		ctl.Kinds: func(ctx context.Context, q ctl.Question) (any, error) {
			var n ctl.Name
			if len(q.Body) > 0 {
				if err := read(q.Body, &n); err != nil {
					return nil, err
				}
			}
			if n.Kind == "" {
				return d.Kinds(ctx)
			}
			k, err := d.Kind(ctx, n.Kind)
			return ctl.KindList{Kinds: []ctl.Kind{k}}, err
		},
		ctl.Ticket: of(d.ticket),
		ctl.Log: func(ctx context.Context, q ctl.Question) (any, error) {
			var query ctl.LogQuery
			if err := read(q.Body, &query); err != nil {
				return nil, err
			}
			if err := d.onlyLog(ctx, q, &query.Kind); err != nil {
				return nil, err
			}
			return d.Log(ctx, query, q.MaxAnswer-forPage)
		},
	} {
		all = append(all, ctl.Endpoint{What: what, Answer: func(ctx context.Context, q ctl.Question) (any, error) {
			if what != ctl.Apply && q.Header(ctl.DryRunHeader) != "" {
				return nil, ctl.Refuse(http.StatusBadRequest, ctl.DryRunHeader, "%s: is for %s, and nothing was done: %s has no dry run", ctl.DryRunHeader, ctl.Apply, what)
			}
			ctx, err := d.questioned(ctx, q)
			if err != nil {
				return nil, err
			}
			v, err := answer(ctx, q)
			if err != nil {
				return nil, err
			}
			return v, nil
		}})
	}
	return all
}

// forPage is how much of an answer is not objects.
const forPage = 1 << 10

// of is an answer to a question that is a T in JSON.
func of[T, A any](answer func(context.Context, T) (A, error)) func(context.Context, ctl.Question) (any, error) {
	return func(ctx context.Context, q ctl.Question) (any, error) {
		var v T
		if err := read(q.Body, &v); err != nil {
			return nil, err
		}
		return answer(ctx, v)
	}
}

// truth is a header that is true or false; false where it is left out. Anything else is refused: who means a dry run and
// spells it "yes" does not mean the opposite.
func truth(q ctl.Question, header string) (bool, error) {
	text := q.Header(header)
	if text == "" {
		return false, nil
	}
	yes, err := strconv.ParseBool(text)
	if err != nil {
		return false, ctl.Refuse(http.StatusBadRequest, header, "%q: want true or false; nothing was done", text)
	}
	return yes, nil
}

// read takes a body by the letter: a name that is spelt wrong would mean all of them, and a RESOURCEVERSION would take the place of the
// resourceVersion that guards a change.
func read(body []byte, v any) error {
	err := document.Decode(body, v)
	var at *document.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &at) || at.Field == "":
		return ctl.Refuse(http.StatusBadRequest, "", "the body can't be read: %s", strings.TrimPrefix(err.Error(), "document 1, "))
	}
	no := ctl.Refuse(http.StatusBadRequest, at.Field, "the body can't be read: %s: %s", at.Field, at.Reason)
	no.Line = at.Line
	return no
}

// questioned is ctx with what the headers say: why, who asks, and what has to be applied here first. NATS does not tell which user has
// sent a message, so who asks is a claim.
func (d *Desk) questioned(ctx context.Context, q ctl.Question) (context.Context, error) {
	ctx, err := Because(ctx, q.Header(ctl.ReasonHeader))
	if err != nil {
		return nil, err
	}
	if who := q.Header(ctl.ActorHeader); who != "" {
		if ctx, err = By(ctx, who); err != nil {
			return nil, err
		}
	}
	if text := q.Header(ctl.TokenHeader); text != "" {
		token, err := event.ParseToken(text)
		if err == nil && token.Fleet() != d.node.Status().Fleet {
			err = ctl.Refuse(http.StatusBadRequest, ctl.TokenHeader, "the token is of fleet %q, this node of %q", token.Fleet(), d.node.Status().Fleet)
		}
		if err != nil {
			return nil, ctl.Refuse(http.StatusBadRequest, ctl.TokenHeader, "%v", err)
		}
		d.reach(ctx, token)
	}
	return ctx, nil
}

// read is an object as the database has it now.
func (d *Desk) read(ctx context.Context, n ctl.Name) (json.RawMessage, error) {
	return bounded(ctx, d, operation{name: "get"}, func(ctx context.Context) (json.RawMessage, error) {
		data, err := d.loadObject(ctx, n.Kind, orDefault(n.Namespace), n.Name)
		if isNotFound(err) {
			return nil, d.missing(ctx, n)
		}
		return data, refused(err)
	})
}

// missing says what there is none of: the object, or the whole kind.
func (d *Desk) missing(ctx context.Context, n ctl.Name) error {
	k, err := d.Kind(ctx, n.Kind)
	if err != nil {
		return err
	}
	return noObject(k.Kind, orDefault(n.Namespace), n.Name)
}

// A ticket is waited for this long unless its asker says otherwise, and never longer than maxWait.
const (
	defaultWait = 5 * time.Second
	maxWait     = time.Minute
)

// ticket waits until what it stands for is announced.
func (d *Desk) ticket(ctx context.Context, a ctl.Announcement) (ctl.Announcement, error) {
	timeout := time.Duration(a.TimeoutMs) * time.Millisecond
	if timeout <= 0 {
		timeout = defaultWait
	}
	token, err := d.Announced(ctx, a.Ticket, min(timeout, maxWait))
	return ctl.Announcement{Ticket: a.Ticket, Token: token}, err
}
