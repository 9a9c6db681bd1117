package manifest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// The kinds of the tests: a Bot has plugins, a Plugin has a provider.
type (
	Bot struct {
		Account string   `json:"account"`
		Model   string   `json:"model,omitempty"`
		Plugins []string `json:"plugins,omitempty"`
		Friend  string   `json:"friend,omitempty"`
	}
	Plugin struct {
		Endpoint string `json:"endpoint,omitempty"`
		Provider string `json:"provider,omitempty"`
	}
	Provider struct {
		Region string `json:"region,omitempty"`
	}
)

func botKind() manifest.Kind[Bot] {
	return manifest.Kind[Bot]{
		APIVersion: "example.dev/v1", Name: "Bot", Plural: "bots", ShortNames: []string{"b"},
		Stale: func(m manifest.Manifest[Bot]) []event.Target {
			return []event.Target{event.Tag("account:" + m.Spec.Account)}
		},
		References: func(m manifest.Manifest[Bot]) (refs []manifest.Reference) {
			for _, p := range m.Spec.Plugins {
				refs = append(refs, manifest.Reference{Kind: "Plugin", Name: p})
			}
			if m.Spec.Friend != "" {
				refs = append(refs, manifest.Reference{Kind: "Bot", Name: m.Spec.Friend})
			}
			return refs
		},
	}
}

func pluginKind() manifest.Kind[Plugin] {
	return manifest.Kind[Plugin]{
		APIVersion: "example.dev/v1", Name: "Plugin",
		References: func(m manifest.Manifest[Plugin]) (refs []manifest.Reference) {
			if m.Spec.Provider != "" {
				refs = append(refs, manifest.Reference{Kind: "Provider", Name: m.Spec.Provider})
			}
			return refs
		},
	}
}

// place is a process's view of the database: a node, a store on it, and brokers.
type place struct {
	node      *lethe.Node
	store     *manifest.Store
	bots      *manifest.Broker[Bot]
	plugins   *manifest.Broker[Plugin]
	providers *manifest.Broker[Provider]
}

// engine is a database that the promises are checked against.
type engine struct {
	name string
	dsn  func(testing.TB) string
	one  bool // only one store can open it
}

func engines() []engine {
	return []engine{
		{"memory", func(testing.TB) string { return "sqlite::memory:" }, true},
		{"sqlite", func(tb testing.TB) string { return "sqlite:" + filepath.Join(tb.TempDir(), "lethe.db") }, false},
		{"postgres", pgtest.DSN, false},
	}
}

// onEach runs a test against every engine.
func onEach(t *testing.T, test func(*testing.T, engine)) {
	t.Helper()
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			test(t, e)
		})
	}
}

// places opens n nodes of a fleet, each with a store of its own on one database, as n processes would. In memory there is one
// store, and the nodes share it.
func places(t testing.TB, e engine, n int, opts ...manifest.Option) []*place {
	t.Helper()
	nodes := lethetest.Fleet(t, n)
	dsn := e.dsn(t)
	all := make([]*place, n)
	for i, node := range nodes {
		if i > 0 && e.one {
			shared := *all[0]
			shared.node = node
			all[i] = &shared
			continue
		}
		all[i] = openAt(t, dsn, node, opts...)
	}
	return all
}

func openAt(t testing.TB, dsn string, node *lethe.Node, opts ...manifest.Option) *place {
	t.Helper()
	p := &place{node: node, store: must(manifest.Open(t.Context(), dsn, node, opts...))}
	t.Cleanup(func() {
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := t.Context()
	p.bots = must(manifest.Register(ctx, p.store, botKind()))
	p.plugins = must(manifest.Register(ctx, p.store, pluginKind()))
	p.providers = must(manifest.Register(ctx, p.store, manifest.Kind[Provider]{APIVersion: "example.dev/v1", Name: "Provider"}))
	return p
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func bot(name string, spec Bot) manifest.Manifest[Bot] {
	return manifest.Manifest[Bot]{Metadata: manifest.Metadata{Namespace: "acme", Name: name}, Spec: spec}
}

func plugin(name string, spec Plugin) manifest.Manifest[Plugin] {
	return manifest.Manifest[Plugin]{Metadata: manifest.Metadata{Namespace: "acme", Name: name}, Spec: spec}
}

func provider(name, region string) manifest.Manifest[Provider] {
	return manifest.Manifest[Provider]{Metadata: manifest.Metadata{Namespace: "acme", Name: name}, Spec: Provider{Region: region}}
}

// heard is what was said on the bus, in the order of the stream.
type heard struct {
	node *lethe.Node
	from []*manifest.Store
	mu   sync.Mutex
	all  []event.Event
}

// listen hears everything from now on; from are stores whose announcements belong to it.
func listen(t testing.TB, node *lethe.Node, from ...*manifest.Store) *heard {
	t.Helper()
	h := &heard{node: node, from: from}
	if err := node.Receive("test", func(_ context.Context, e event.Event) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all = append(h.all, e)
		return nil
	}, lethe.WithQueue(1<<16)); err != nil {
		t.Fatal(err)
	}
	return h
}

// events returns what was said since the last call: all of it, since it waits until nothing is left to announce, says a word of
// its own and waits until that is heard. (A write returns after a second, announced or not.)
func (h *heard) events(t testing.TB) []event.Event {
	t.Helper()
	for _, s := range h.from {
		eventually(t, "nothing is left to announce", func() bool {
			left, err := s.Waiting(t.Context())
			return err == nil && left == 0
		})
	}
	word := event.Tag("word:" + event.NewID())
	eventually(t, "the word is said", func() bool {
		_, err := h.node.Invalidate(t.Context(), word)
		return err == nil
	})
	var found []event.Event
	eventually(t, "the word is heard", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		at := slices.IndexFunc(h.all, func(e event.Event) bool { return slices.Contains(e.Targets, word) })
		if at < 0 {
			return false
		}
		found, h.all = slices.Clone(h.all[:at]), h.all[at+1:]
		return true
	})
	return found
}

// apart sorts what was said into events about objects and all others: they are on different subjects, so any order is right.
func apart(events []event.Event) (objects, others []event.Event) {
	for _, e := range events {
		if e.Manifest != nil {
			objects = append(objects, e)
		} else {
			others = append(others, e)
		}
	}
	return objects, others
}

// targets are all that events name, as text, sorted.
func targets(events []event.Event) []string {
	var all []string
	for _, e := range events {
		for _, t := range e.Targets {
			all = append(all, t.String())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// patience is how long a test waits for what has to happen; nothing is measured with it.
const patience = 2 * time.Minute

// eventually waits for a condition for as long as a slow machine may need.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		pause := time.NewTimer(2 * time.Millisecond)
		select {
		case <-pause.C:
		case <-t.Context().Done():
			t.Fatalf("the test ended before: %s", what)
		}
	}
}

// view is a memoized function whose loads are counted.
type view struct {
	*lethe.Func[string, string]
	node  *lethe.Node
	loads atomic.Int64
}

func memoize(node *lethe.Node, name event.Name[string], f func(context.Context, string) (string, error)) *view {
	v := &view{node: node}
	v.Func = lethe.Memoize(node, name, func(ctx context.Context, k string) (string, error) {
		v.loads.Add(1)
		return f(ctx, k)
	}, lethe.WithNegative(time.Minute, manifest.ErrNotFound))
	return v
}

// expect reads a view after tok and says how many loads it took.
func (v *view) expect(t *testing.T, tok event.Token, key, want string, loads int64) {
	t.Helper()
	lethetest.WaitAll(t, tok, v.node) // a read would wait for a second, and then load without remembering
	before := v.loads.Load()
	got, err := v.Get(lethe.WithToken(t.Context(), tok), key)
	switch {
	case errors.Is(err, manifest.ErrNotFound):
		got = "not found"
	case err != nil:
		got = fmt.Sprintf("error: %v", err)
	}
	if got != want {
		t.Errorf("%s is %q, want %q", key, got, want)
	}
	if n := v.loads.Load() - before; n != loads {
		t.Errorf("%s took %d loads, want %d", key, n, loads)
	}
}

// token makes sure that a write was announced, and returns its token.
func token[S any](t testing.TB, s *manifest.Store, r manifest.Result[S], err error) event.Token {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !r.Token.IsZero() || r.Ticket == "" {
		return r.Token
	}
	tok, err := s.Wait(t.Context(), r.Ticket) // it took more than a second
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// lines is a log to be looked at.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) count(word string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), word)
}

// manifestText is an object as a text that can be applied.
func manifestText(o manifest.Object) ([]byte, error) { return json.Marshal(o) }
