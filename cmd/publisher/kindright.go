package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

// errNoRight is that the server does not let this user ask on a subject.
var errNoRight = errors.New("this user may not ask on that subject")

// askKind asks on the subject of one kind, for which a user may have the right alone, and where that is not to be had on that of all
// kinds: for users who have that right alone, for nodes of before, and where kind is no kind's own name.
func (o *options) askKind(ctx context.Context, conn *nats.Conn, what, kind string, do asking) error {
	of := ctl.OfKind(what, kind)
	err := o.try(ctx, of, do)
	if errors.Is(err, errNoRight) {
		if own := o.ownName(ctx, conn, kind); own != "" && ctl.OfKind(what, own) != of {
			of = ctl.OfKind(what, own)
			err = o.try(ctx, of, do)
		}
	}
	var no *ctl.Refusal
	if !errors.Is(err, errNoRight) && !errors.Is(err, ctl.ErrNoNode) && (!errors.As(err, &no) || no.Code != http.StatusForbidden) {
		return err
	}
	whole := o.try(ctx, what, do)
	switch {
	case !errors.Is(whole, errNoRight):
		return whole
	case errors.Is(err, errNoRight):
		return cli.Exit(cli.CodeConnection, fmt.Errorf("the server refused: this user may publish neither on %s nor on %s",
			ctl.AnySubject(o.fleet, of), ctl.AnySubject(o.fleet, what)))
	}
	return err
}

// try asks on a subject that this user may have no right to: errNoRight, without asking again where that is known.
func (o *options) try(ctx context.Context, what string, do asking) error {
	subject := ctl.AnySubject(o.fleet, what)
	if old, ok := o.tried.Load(subject); ok && isRefused(old) {
		return errNoRight
	}
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	o.tried.Store(subject, &trial{ctx, refuse})
	err := do(ctx, what)
	if err != nil && errors.Is(context.Cause(ctx), errNoRight) {
		return errNoRight
	}
	return err
}

// asking is a question to one of the nodes, under way until ctx ends.
type asking func(ctx context.Context, what string) error

// trial is an asking that the server may refuse.
type trial struct {
	ctx    context.Context //nolint:containedctx // its end is what a refusal says
	refuse context.CancelCauseFunc
}

func isRefused(v any) bool {
	t, ok := v.(*trial)
	return ok && errors.Is(context.Cause(t.ctx), errNoRight)
}

// tries says whether a refusal is of a subject that was tried, and ends the asking.
func (o *options) tries(err error) (known bool) {
	o.tried.Range(func(subject, v any) bool {
		s, _ := subject.(string)
		t, ok := v.(*trial)
		if known = ok && strings.Contains(err.Error(), strconv.Quote(s)); known {
			t.refuse(errNoRight)
		}
		return !known
	})
	return known
}

// ownName is the name of the kind that has this plural or short name; empty where nobody can tell.
func (o *options) ownName(ctx context.Context, conn *nats.Conn, kind string) string {
	body, err := json.Marshal(ctl.Name{Kind: kind})
	if err != nil {
		return ""
	}
	var list ctl.KindList
	err = o.try(ctx, ctl.Kinds, func(ctx context.Context, what string) error { return o.request(ctx, conn, what, body, nil, &list) })
	if err != nil || len(list.Kinds) != 1 {
		return ""
	}
	return list.Kinds[0].Kind
}

// kindsOf are the kinds of manifests, each once.
func kindsOf(all []given) (kinds []string) {
	for _, g := range all {
		if kind := g.name().Kind; !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// oneKind is the kind of all of them; empty where they are of several, which is a question for who may all kinds.
func oneKind(all []given) string {
	if kinds := kindsOf(all); len(kinds) == 1 {
		return kinds[0]
	}
	return ""
}

// severalKinds says of a missing permission why it is needed.
func severalKinds(all []given, err error) error {
	kinds := kindsOf(all)
	if len(kinds) < 2 || cli.Code(err) != cli.CodeConnection {
		return err
	}
	return cli.Exit(cli.CodeConnection, fmt.Errorf("%w; manifests of several kinds (%s) in one call are one decision, and need the right to all kinds: "+
		"with the right to some, apply each kind by itself, those that others refer to first", err, plain(strings.Join(kinds, ", "))))
}
