package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Views of another node, over manifests that are applied on the first.
type views struct {
	bot, twice, inAcme, inAll, ofKind *view
}

func viewsAt(p *place) views {
	var v views
	v.bot = memoize(p.node, "bots.view", func(ctx context.Context, name string) (string, error) {
		m, err := p.bots.Get(ctx, "acme", name)
		return m.Spec.Account + "/" + m.Spec.Model, err
	})
	v.twice = memoize(p.node, "bots.twice", func(ctx context.Context, name string) (string, error) {
		text, err := v.bot.Get(ctx, name)
		return text + "+" + text, err
	})
	list := func(namespace string) func(context.Context, string) (string, error) {
		return func(ctx context.Context, selector string) (string, error) {
			all, _, err := p.bots.List(ctx, manifest.ListOptions{Namespace: namespace, Selector: selector})
			names := make([]string, len(all))
			for i, m := range all {
				names[i] = m.Metadata.Namespace + "/" + m.Metadata.Name
			}
			return strings.Join(names, " "), err
		}
	}
	v.inAcme = memoize(p.node, "bots.acme", list("acme"))
	v.inAll = memoize(p.node, "bots.all", list(""))
	v.ofKind = memoize(p.node, "objects.count", func(ctx context.Context, kind string) (string, error) {
		all, _, err := p.store.List(ctx, kind, manifest.ListOptions{})
		return fmt.Sprint(len(all)), err
	})
	return v
}

func TestWhatIsComputedFromAManifestIsFreshOnEveryNodeAndNothingElseIsLoadedAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps := places(t, e, 3)
		writer, v := ps[0], viewsAt(ps[1])
		far := viewsAt(ps[2])
		apply := func(m manifest.Manifest[Bot]) event.Token {
			t.Helper()
			r, err := writer.bots.Apply(t.Context(), m)
			return token(t, writer.store, r, err)
		}
		v.bot.expect(t, event.Token{}, "helper", "not found", 1)
		v.bot.expect(t, event.Token{}, "helper", "not found", 0) // that there is none is remembered
		v.inAcme.expect(t, event.Token{}, "", "", 1)
		v.inAll.expect(t, event.Token{}, "", "", 1)

		tok := apply(bot("helper", Bot{Account: "a1", Model: "m1"}))
		v.bot.expect(t, tok, "helper", "a1/m1", 1)
		v.twice.expect(t, tok, "helper", "a1/m1+a1/m1", 1)
		v.inAcme.expect(t, tok, "", "acme/helper", 1)
		v.inAll.expect(t, tok, "", "acme/helper", 1)
		far.twice.expect(t, tok, "helper", "a1/m1+a1/m1", 1)

		tok = apply(bot("other", Bot{Account: "a1", Model: "m1"}))
		v.bot.expect(t, tok, "helper", "a1/m1", 0) // unrelated
		v.twice.expect(t, tok, "helper", "a1/m1+a1/m1", 0)
		v.bot.expect(t, tok, "other", "a1/m1", 1)
		v.inAcme.expect(t, tok, "", "acme/helper acme/other", 1)

		elsewhere := bot("helper", Bot{Account: "a9", Model: "m9"})
		elsewhere.Metadata.Namespace = "beta"
		tok = apply(elsewhere)
		v.bot.expect(t, tok, "helper", "a1/m1", 0)
		v.inAcme.expect(t, tok, "", "acme/helper acme/other", 0) // another namespace
		v.inAll.expect(t, tok, "", "acme/helper acme/other beta/helper", 1)

		tok = apply(bot("helper", Bot{Account: "a1", Model: "m2"}))
		far.twice.expect(t, tok, "helper", "a1/m2+a1/m2", 1) // function of function, on a third node
		v.twice.expect(t, tok, "helper", "a1/m2+a1/m2", 1)
		v.bot.expect(t, tok, "other", "a1/m1", 0)
		v.bot.expect(t, apply(bot("helper", Bot{Account: "a1", Model: "m2"})), "helper", "a1/m2", 0) // unchanged

		gone, err := writer.bots.Delete(t.Context(), "acme", "helper")
		tok = token(t, writer.store, gone, err)
		v.bot.expect(t, tok, "helper", "not found", 1)
		v.inAcme.expect(t, tok, "", "acme/other", 1)

		all, err := writer.bots.InvalidateCache(t.Context(), "acme", "")
		tok = token(t, writer.store, all, err)
		v.bot.expect(t, tok, "other", "a1/m1", 1)
		v.inAcme.expect(t, tok, "", "acme/other", 1)
		v.inAll.expect(t, tok, "", "acme/other beta/helper", 1)
	})
}

func TestAKindThatIsNotThereIsRememberedUntilItComes(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps := places(t, e, 2)
		v := viewsAt(ps[1])
		for _, name := range []string{"team", "teams", "crew", "Team"} {
			v.ofKind.expect(t, event.Token{}, name, "not found", 1)
			v.ofKind.expect(t, event.Token{}, name, "not found", 0)
		}
		rs, err := ps[0].store.Apply(t.Context(), []byte(teamKind))
		if err != nil {
			t.Fatal(err)
		}
		tok := token(t, ps[0].store, rs[0], nil)
		for _, name := range []string{"team", "teams", "crew", "Team"} {
			v.ofKind.expect(t, tok, name, "0", 1)
		}
		rs, err = ps[0].store.Apply(t.Context(), []byte(teamRed))
		if err != nil {
			t.Fatal(err)
		}
		v.ofKind.expect(t, token(t, ps[0].store, rs[0], nil), "crew", "1", 1)
	})
}

func TestAnErrorOfTheReadIsNoReasonToForgetWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	e := engines()[1]
	ps := places(t, e, 2)
	broken := errors.New("down")
	v := memoize(ps[1].node, "bots.fallback", func(ctx context.Context, name string) (string, error) {
		ended, cancel := context.WithCancelCause(ctx)
		cancel(broken)
		m, err := ps[1].bots.Get(ended, "acme", name)
		if err != nil { // the loader makes do
			return "fallback", nil //nolint:nilerr // that is what it does
		}
		return m.Spec.Model, nil
	})
	v.expect(t, event.Token{}, "helper", "fallback", 1)
	v.expect(t, event.Token{}, "helper", "fallback", 0)
	r, err := ps[0].bots.Apply(t.Context(), bot("helper", Bot{Account: "a1"}))
	v.expect(t, token(t, ps[0].store, r, err), "helper", "fallback", 1) // asked again
}

func TestAViewDependsOnWhatItsBotsReferTo(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a", Plugins: []string{"search"}})))
		must(p.bots.Apply(t.Context(), bot("plain", Bot{Account: "a"})))
		v := viewsAt(p)
		v.bot.expect(t, event.Token{}, "helper", "a/", 1)
		v.bot.expect(t, event.Token{}, "plain", "a/", 1)
		v.inAcme.expect(t, event.Token{}, "", "acme/helper acme/plain", 1)
		p.node.Forget(event.Tag("plugin:acme/search"))
		v.bot.expect(t, event.Token{}, "helper", "a/", 1)
		v.bot.expect(t, event.Token{}, "plain", "a/", 0)
		v.inAcme.expect(t, event.Token{}, "", "acme/helper acme/plain", 1)
	})
}

// onForget calls f before the node forgets.
type onForget struct {
	*lethe.Node
	f func()
}

func (o onForget) Forget(targets ...event.Target) {
	o.f()
	o.Node.Forget(targets...)
}

func TestTheWriterForgetsAfterTheCommitAndNotBefore(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return
		}
		dsn, nodes := e.dsn(t), lethetest.Fleet(t, 2)
		other := openAt(t, dsn, nodes[1])
		var seen []error // what another process sees when this one is told to forget
		var mu sync.Mutex
		store := must(manifest.Open(t.Context(), dsn, onForget{nodes[0], func() {
			_, err := other.bots.Get(t.Context(), "acme", "helper")
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, err)
		}}))
		defer func() { _ = store.Close() }()
		bots := must(manifest.Register(t.Context(), store, botKind()))
		must(bots.Apply(t.Context(), bot("helper", Bot{Account: "a"})))
		mu.Lock()
		defer mu.Unlock()
		if len(seen) == 0 || seen[0] != nil {
			t.Errorf("a value loaded then would be the old one: %v", seen)
		}
	})
}
