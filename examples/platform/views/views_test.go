package views_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/examples/platform/views"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// copies are three copies of the service, on one database.
type copies struct {
	t      *testing.T
	nodes  []*lethe.Node
	stores []*manifest.Store
	views  []*views.Views
	// customer is the namespace whose manifests were applied.
	customer string
}

func start(t *testing.T) *copies {
	t.Helper()
	c := open(t, "acme")
	c.apply(0, files(t, "../acme/*.yaml"))
	return c
}

// open starts copies that know the kinds.
func open(t *testing.T, customer string) *copies {
	t.Helper()
	c := &copies{t: t, nodes: lethetest.Fleet(t, 3), customer: customer}
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "platform.db")
	for _, n := range c.nodes {
		store, err := manifest.Open(t.Context(), dsn, n, manifest.WithJournal(0))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		c.stores, c.views = append(c.stores, store), append(c.views, views.New(n, store))
	}
	c.apply(0, files(t, "../kinds/*.yaml"))
	return c
}

// files are those of a pattern, as one document.
func files(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatal(pattern, names, err)
	}
	var all bytes.Buffer
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("---\n")
		all.Write(text)
	}
	return all.String()
}

// apply applies through one of the copies and waits until all have heard of it.
func (c *copies) apply(by int, document string) []manifest.Action {
	c.t.Helper()
	results, err := c.stores[by].Apply(c.t.Context(), []byte(document))
	if err != nil {
		c.t.Fatal(err)
	}
	var did []manifest.Action
	for _, r := range results {
		did = append(did, r.Action)
		c.heard(by, r)
	}
	return did
}

// heard waits until all copies have applied what one of them announced, and returns its token.
func (c *copies) heard(by int, r manifest.Result[json.RawMessage]) event.Token {
	c.t.Helper()
	token := r.Token
	if token.IsZero() && r.Ticket != "" { // a slow machine
		var err error
		if token, err = c.stores[by].Wait(c.t.Context(), r.Ticket); err != nil {
			c.t.Fatal(err)
		}
	}
	lethetest.WaitAll(c.t, token, c.nodes...)
	return token
}

// came reads a chatbot on every copy and requires that it came as it should.
func (c *copies) came(name string, want lethe.Outcome) []views.Chatbot {
	c.t.Helper()
	return came(c, name, want, func(v *views.Views) *lethe.Func2[string, string, views.Chatbot] { return v.Chatbot })
}

func (c *copies) account(name string, want lethe.Outcome) []views.Account {
	c.t.Helper()
	return came(c, name, want, func(v *views.Views) *lethe.Func2[string, string, views.Account] { return v.Account })
}

func came[V any](c *copies, name string, want lethe.Outcome, view func(*views.Views) *lethe.Func2[string, string, V]) (got []V) {
	c.t.Helper()
	for i, v := range c.views {
		r, err := view(v).Lookup(c.t.Context(), c.customer, name)
		if err != nil || r.Cache != want {
			c.t.Fatalf("%s on copy %d: %s, %v; want a %s", name, i, r.Cache, err, want)
		}
		got = append(got, r.Value)
	}
	return got
}

func edit(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in the document", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, replacement, 1)
}

func TestAViewIsWhatItsManifestsSay(t *testing.T) {
	t.Parallel()
	c := start(t)
	helper := c.came("helper", lethe.Miss)[2]
	if helper.Account != "Acme Corporation" || helper.Endpoint != "https://models.example.com/v1" || helper.Model != "large" ||
		helper.Prompt != "You are a helpful assistant." || helper.Heat != 0.2 || len(helper.Tools) != 3 || helper.Tools[1].Name != "save_note" || !helper.Tools[1].Confirm {
		t.Errorf("%+v", helper)
	}
	acme := c.account("acme", lethe.Miss)[1]
	if acme.Plan != "team" || !slices.Equal(acme.Users, []string{"ann", "ben"}) || len(acme.Chatbots) != 3 {
		t.Errorf("%+v", acme)
	}
}

func TestAPluginMakesTheChatbotsThatUseItStaleEverywhereAndNoOthers(t *testing.T) {
	t.Parallel()
	c := start(t)
	for _, outcome := range []lethe.Outcome{lethe.Miss, lethe.Hit} {
		for _, name := range []string{"helper", "scout", "porter"} {
			c.came(name, outcome)
		}
		c.account("acme", outcome)
	}
	plugins := edit(t, files(t, "../acme/plugins.yaml"), "Finds a contact by name or address", "Finds a contact")
	if did := c.apply(1, plugins); !slices.Equal(did, []manifest.Action{manifest.Configured, manifest.Unchanged, manifest.Unchanged}) {
		t.Fatal(did)
	}
	c.came("porter", lethe.Hit) // it uses another plugin
	for _, b := range append(c.came("helper", lethe.Miss), c.came("scout", lethe.Miss)...) {
		if b.Tools[0].Description != "Finds a contact" {
			t.Errorf("%s has the old plugin: %+v", b.Name, b.Tools)
		}
	}
	for _, a := range c.account("acme", lethe.Miss) {
		if a.Chatbots[0].Tools[0].Description != "Finds a contact" {
			t.Errorf("the account has the old plugin: %+v", a.Chatbots)
		}
	}
	if did := c.apply(2, plugins); !slices.Equal(did, []manifest.Action{manifest.Unchanged, manifest.Unchanged, manifest.Unchanged}) {
		t.Fatal(did)
	}
	c.came("helper", lethe.Hit)
}

func TestAChatbotThatMovesMakesBothAccountsFresh(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.apply(0, `{"apiVersion":"platform.example.dev/v1","kind":"Account","metadata":{"namespace":"acme","name":"labs"},"spec":{"displayName":"Acme Labs"}}`)
	c.account("acme", lethe.Miss)
	c.account("labs", lethe.Miss)
	bots := files(t, "../acme/chatbots.yaml")
	moved := "---" + strings.Split(bots, "---")[3] // porter
	c.apply(1, edit(t, moved, "account: acme", "account: labs"))
	for _, a := range c.account("acme", lethe.Miss) {
		if len(a.Chatbots) != 2 {
			t.Errorf("acme has %d chatbots", len(a.Chatbots))
		}
	}
	for _, a := range c.account("labs", lethe.Miss) {
		if len(a.Chatbots) != 1 || a.Chatbots[0].Account != "Acme Labs" {
			t.Errorf("labs has %+v", a.Chatbots)
		}
	}
}

func TestWhatWasNotThereIsFoundOnceItIs(t *testing.T) {
	t.Parallel()
	c := start(t)
	for range 2 {
		for _, v := range c.views {
			if _, err := v.Chatbot.Get(t.Context(), "acme", "late"); !errors.Is(err, manifest.ErrNotFound) {
				t.Fatal(err)
			}
		}
	}
	c.apply(2, `
apiVersion: platform.example.dev/v1
kind: Chatbot
metadata: {namespace: acme, name: late}
spec: {account: acme, provider: none, model: m, plugins: [unborn]}
`)
	for _, b := range c.came("late", lethe.Miss) {
		if b.Endpoint != "" || len(b.Tools) != 0 {
			t.Errorf("%+v", b)
		}
	}
	c.apply(0, `
apiVersion: platform.example.dev/v1
kind: Plugin
metadata: {namespace: acme, name: unborn}
spec: {tools: [{name: a, description: b}]}
`)
	for _, b := range c.came("late", lethe.Miss) {
		if len(b.Tools) != 1 {
			t.Errorf("%+v", b)
		}
	}
	r, err := c.stores[1].Delete(t.Context(), "bot", "acme", "late")
	if err != nil || r.Action != manifest.Deleted {
		t.Fatal(r.Action, err)
	}
	token, err := c.stores[1].Wait(t.Context(), r.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.views {
		if _, err := v.Chatbot.Get(lethe.WithToken(t.Context(), token), "acme", "late"); !errors.Is(err, manifest.ErrNotFound) {
			t.Errorf("after it was deleted: %v", err)
		}
	}
}

// A view that can't be known is an event's business as well: the tags are those of the manifests, for anyone to say.
func TestAnAdministratorForgetsByTag(t *testing.T) {
	t.Parallel()
	c := start(t)
	c.came("helper", lethe.Miss)
	c.came("porter", lethe.Miss)
	token, err := c.nodes[0].Invalidate(t.Context(), event.Tag("plugin:acme/crm"))
	if err != nil {
		t.Fatal(err)
	}
	lethetest.WaitAll(t, token, c.nodes...)
	c.came("helper", lethe.Miss)
	c.came("porter", lethe.Hit)
}
