package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

type Chatbot struct {
	Account, Model string
	Plugins        []string
}

// A typed kind, its broker, and a memoized view that follows it.
func Example() {
	ctx := context.Background()
	srv, err := embedded.Start(ctx, embedded.Config{})
	check(err)
	defer srv.Close()
	nc, err := srv.Connect()
	check(err)
	defer nc.Close()
	node, err := lethe.Open(ctx, lethe.Config{Conn: nc})
	check(err)
	defer node.Close()
	check(node.Ready(ctx))
	store, err := manifest.Open(ctx, "sqlite::memory:", node)
	check(err)
	defer store.Close()
	bots, err := manifest.Register(ctx, store, manifest.Kind[Chatbot]{
		APIVersion: "example.dev/v1", Name: "Chatbot", Plural: "chatbots",
		Stale: func(m manifest.Manifest[Chatbot]) []event.Target {
			return []event.Target{event.Tag("account:" + m.Spec.Account)}
		},
	})
	check(err)
	view := lethe.Memoize2(node, "bots.view", func(ctx context.Context, ns, name string) (string, error) {
		fmt.Println("loading", ns, name)
		m, err := bots.Get(ctx, ns, name)
		return m.Spec.Model, err
	})
	for _, model := range []string{"m1", "m1", "m2"} {
		r, err := bots.Apply(ctx, manifest.Manifest[Chatbot]{
			Metadata: manifest.Metadata{Namespace: "acme", Name: "helper"},
			Spec:     Chatbot{Account: "acme", Model: model, Plugins: []string{"search"}},
		})
		check(err)
		fmt.Println(r.Action)
		fmt.Println(view.Get(lethe.WithToken(ctx, r.Token), "acme", "helper"))
	}
	_, err = bots.Delete(ctx, "acme", "helper")
	check(err)
	_, err = view.Get(ctx, "acme", "helper")
	fmt.Println(err)
	// Output:
	// created
	// loading acme helper
	// m1 <nil>
	// unchanged
	// m1 <nil>
	// configured
	// loading acme helper
	// m2 <nil>
	// loading acme helper
	// manifest: Chatbot acme/helper: is not there
}

// A kind that is a manifest itself, and an object of it, applied together.
func ExampleStore_Apply() {
	ctx := context.Background()
	store, done := openStore()
	defer done()
	results, err := store.Apply(ctx, []byte(`
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: plugin}
spec:
  apiVersion: example.dev/v1
  names: {kind: Plugin, plural: plugins}
  schema:
    type: object
    required: [endpoint]
    properties:
      endpoint: {type: string}
      timeout: {type: integer, default: 5}
---
apiVersion: example.dev/v1
kind: Plugin
metadata: {namespace: acme, name: search}
spec: {endpoint: "https://search.example"}
`))
	check(err)
	for _, r := range results {
		fmt.Println(r.Manifest.Kind, r.Manifest.Metadata.Name, r.Action)
	}
	o, err := store.Get(ctx, "plugins", "acme", "search")
	check(err)
	fmt.Println(string(o.Spec))
	_, err = store.Apply(ctx, []byte(`{"apiVersion": "example.dev/v1", "kind": "Plugin", "metadata": {"name": "mail"}, "spec": {"endpont": "x"}}`))
	fmt.Println(err)
	// Output:
	// Kind plugin created
	// Plugin search created
	// {"endpoint":"https://search.example","timeout":5}
	// manifest: document 1, line 1: Plugin default/mail: spec.endpont: is no field here; did you mean endpoint?
	// manifest: document 1, line 1: Plugin default/mail: spec.endpoint: is required
}

// What somebody reports of an object, beside what is applied.
func ExampleStore_SetStatus() {
	ctx := context.Background()
	store, done := openStore()
	defer done()
	_, err := store.Apply(ctx, []byte(`
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: plugin}
spec:
  apiVersion: example.dev/v1
  names: {kind: Plugin, plural: plugins}
  schema: {type: object, properties: {endpoint: {type: string}}}
  statusSchema: {type: object, properties: {phase: {enum: [ready, down]}}}
---
apiVersion: example.dev/v1
kind: Plugin
metadata: {namespace: acme, name: search}
spec: {endpoint: "https://search.example"}
`))
	check(err)
	read, err := store.Get(ctx, "plugin", "acme", "search")
	check(err)
	version := read.Metadata.ResourceVersion
	r, err := store.SetStatus(ctx, "plugin", "acme", "search", map[string]string{"phase": "ready"}, manifest.IfVersion(version))
	check(err)
	fmt.Println(r.Action, string(r.Manifest.Status), "generation", r.Manifest.Metadata.Generation)
	_, err = store.SetStatus(ctx, "plugin", "acme", "search", map[string]string{"phase": "down"}, manifest.IfVersion(version))
	fmt.Println(errors.Is(err, manifest.ErrConflict))
	_, err = store.SetStatus(ctx, "plugin", "acme", "search", map[string]string{"phase": "up"})
	fmt.Println(err)
	// Output:
	// configured {"phase":"ready"} generation 1
	// true
	// manifest: Plugin acme/search: status.phase: value must be one of 'ready', 'down'
}

// openStore is a store in memory on a fleet of one.
func openStore() (*manifest.Store, func()) {
	ctx := context.Background()
	srv, err := embedded.Start(ctx, embedded.Config{})
	check(err)
	nc, err := srv.Connect()
	check(err)
	node, err := lethe.Open(ctx, lethe.Config{Conn: nc})
	check(err)
	store, err := manifest.Open(ctx, "sqlite::memory:", node)
	check(err)
	return store, func() {
		_ = store.Close()
		_ = node.Close()
		nc.Close()
		_ = srv.Close()
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
