package manifest_test

import (
	"context"
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
