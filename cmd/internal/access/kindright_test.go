package access

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/desk"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// accounts are a second kind, and an object that an editor of plugins may neither see nor touch.
const accounts = `{"apiVersion": "lethe.dev/v1", "kind": "Kind", "metadata": {"name": "account"}, "spec": {"apiVersion": "example.dev/v1",
	"names": {"kind": "Account", "plural": "accounts", "shortNames": ["acc"]}, "schema": {"type": "object", "properties": {"plan": {"type": "string"}}}}}
---
{"apiVersion": "example.dev/v1", "kind": "Account", "metadata": {"name": "acme"}, "spec": {"plan": "gold"}}
`

// keeps starts a node with a database for u, and applies a text there as its own program would.
func keeps(t *testing.T, url string, u User, text string, log *slog.Logger) {
	t.Helper()
	c := login(t, url, u)
	n, err := lethe.Open(t.Context(), lethe.Config{Conn: c.Conn, Fleet: "shop", Name: u.Name, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	store, err := manifest.Open(t.Context(), "sqlite::memory:", n, manifest.WithJournal(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	stop, err := ctl.Serve(c.Conn, n, desk.New(n, store, time.Minute, slog.New(slog.DiscardHandler)).Endpoints()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	if err := errors.Join(n.Ready(within(t, patience)), store.Ready(within(t, patience)), c.FlushTimeout(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Apply(t.Context(), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestAnEditorOfOneKindMayDoNothingWithAnother(t *testing.T) {
	t.Parallel()
	keeper := of(t, Options{Role: Node, Name: "keeper", Relay: true})
	narrow := of(t, Options{Role: Editor, Name: "plugins", Kinds: []string{"Plugin"}})
	wide := of(t, Options{Role: Editor})
	url := serve(t, keeper, narrow, wide)
	keeps(t, url, keeper, plugin+"---\n"+accounts, nil)
	e, w := login(t, url, narrow), login(t, url, wide)

	ask := func(c *conn, what, body string) error {
		t.Helper()
		return ctl.Request(within(t, patience), c.Conn, "shop", what, []byte(body), nil, &map[string]any{})
	}
	const good = `{"apiVersion": "example.dev/v1", "kind": "Plugin", "metadata": {"name": "mail"}, "spec": {}}`
	const other = `{"apiVersion": "example.dev/v1", "kind": "Account", "metadata": {"name": "acme"}, "spec": {"plan": "stolen"}}`
	for what, body := range map[string]string{
		ctl.Apply:      good,
		ctl.Diff:       `{"apiVersion": "v1", "kind": "List", "items": [` + good + `]}`,
		ctl.Get:        `{"kind": "plugins", "name": "search"}`,
		ctl.List:       `{"kind": "PLUGIN"}`,
		ctl.Invalidate: `{"kind": "plugin"}`,
		ctl.SetStatus:  `{"kind": "plugin", "name": "search", "status": {"phase": "ready"}}`,
		ctl.Log:        `{"kind": "plugins", "name": "search"}`,
		ctl.Delete:     `{"kind": "Plugin", "name": "search"}`,
	} {
		if what == ctl.Delete {
			continue // when all else is done
		}
		for _, c := range []*conn{e, w} {
			if err := ask(c, ctl.OfKind(what, "Plugin"), body); err != nil {
				t.Errorf("%s: %v; refused: %q", what, err, c.refused(t))
			}
		}
		if err := ask(w, what, body); err != nil {
			t.Errorf("%s on the subject of all kinds: %v", what, err)
		}
	}
	silent(t, e, w)

	// What is smuggled into a request on a subject that it may use.
	const account = `{"kind": "acc", "name": "acme"}`
	for _, tc := range []struct {
		what, body string
		document   int
	}{
		{ctl.Apply, other, 1},
		{ctl.Apply, good + "\n---\n" + other, 2},
		{ctl.Apply, `{"apiVersion": "v1", "kind": "List", "items": [` + good + `, ` + other + `]}`, 1},
		{ctl.Apply, `{"apiVersion": "v1", "kind": "PluginList", "items": [` + other + `]}`, 1},
		{ctl.Apply, strings.Replace(other, `"kind": "Account"`, `"kind": "Account", "Kind": "Plugin", "KIND": "Plugin"`, 1), 1},
		{ctl.Apply, "x: &k Plugin\napiVersion: example.dev/v1\nkind: Account\nmetadata: {name: acme}", 1},
		{ctl.Apply, strings.Replace(plugin, `"kind": "Plugin", "plural"`, `"kind": "Plugin", "shortNames": ["acc"], "plural"`, 1), 1}, // the kind itself
		{ctl.Diff, other, 1},
		{ctl.Delete, account, 0},
		{ctl.Get, account, 0},
		{ctl.List, account[:len(account)-len(`, "name": "acme"}`)] + "}", 0},
		{ctl.Invalidate, account, 0},
		{ctl.Log, account, 0},
		{ctl.SetStatus, account[:len(account)-1] + `, "status": {"phase": "hacked"}}`, 0},
	} {
		err := ask(e, ctl.OfKind(tc.what, "Plugin"), tc.body)
		var no *ctl.Refusal
		if !errors.As(err, &no) || no.Code != http.StatusForbidden || no.Field != "kind" || no.Document != tc.document || !strings.Contains(no.Text, "nothing was done") {
			t.Errorf("%s %s: %+v, want 403 and document %d", tc.what, tc.body, no, tc.document)
		}
	}
	var no *ctl.Refusal
	if err := ask(e, ctl.OfKind(ctl.Delete, "Plugin"), `{"kind": "plugin", "Kind": "acc", "name": "acme"}`); !errors.As(err, &no) || no.Field != "Kind" {
		t.Errorf("a second kind: %v", err)
	}
	// A plugin of another group is another kind, though its name be the same.
	if err := ask(e, ctl.OfKind(ctl.Apply, "Plugin"), strings.Replace(good, "example.dev", "other.dev", 1)); !errors.As(err, &no) || no.Code != 422 || no.Field != "apiVersion" {
		t.Errorf("%+v", err)
	}
	// Subjects that it may not use, and one that names no kind by its own name.
	for _, what := range ctl.KindVerbs() {
		e.mayNot(t, ctl.AnySubject("shop", what))
		e.mayNot(t, ctl.AnySubject("shop", ctl.OfKind(what, "Account")))
		if err := ask(w, what+".Plugins", `{"kind": "plugin", "name": "search"}`); !errors.As(err, &no) || no.Code == http.StatusNotFound {
			t.Errorf("%s.Plugins: %v", what, err)
		}
	}

	var kept map[string]any
	if err := ctl.Request(within(t, patience), w.Conn, "shop", ctl.Get, []byte(account), nil, &kept); err != nil {
		t.Fatal(err)
	}
	if spec, _ := kept["spec"].(map[string]any); spec["plan"] != "gold" || kept["status"] != nil {
		t.Errorf("%v", kept)
	}
	if err := ask(w, ctl.Get, `{"kind": "plugin", "name": "mail"}`); err != nil {
		t.Error(err)
	}
	if err := ask(e, ctl.OfKind(ctl.Delete, "plugin"), `{"kind": "Plugin", "name": "search"}`); err != nil {
		t.Error(err)
	}
}

// A fleet may be called as a question is.
func TestTheKindOfASubjectIsBehindTheQuestion(t *testing.T) {
	t.Parallel()
	u, err := Of(Options{Role: Editor, Fleet: "apply", Kinds: []string{"Plugin", "APIKey"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range u.Publish {
		if strings.Contains(g.Subject, ".ctl.apply.apply") {
			got = append(got, g.Subject)
		}
	}
	if strings.Join(got, " ") != "lethe.v1.ctl.apply.apply.plugin lethe.v1.ctl.apply.apply.apikey" {
		t.Errorf("%q", got)
	}
	if _, err := Of(Options{Role: Watcher, Fleet: "shop", Kinds: []string{"Plugin"}}); err == nil {
		t.Error("a watcher applies nothing")
	}
	if _, err := Of(Options{Role: Editor, Fleet: "shop", Tags: []string{"user"}}); err == nil {
		t.Error("an editor invalidates no tags")
	}
}
