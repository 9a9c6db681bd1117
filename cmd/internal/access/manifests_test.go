package access

import (
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	_ "modernc.org/sqlite" // the engine of the outbox below

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/desk"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

const plugin = `{"apiVersion": "lethe.dev/v1", "kind": "Kind", "metadata": {"name": "plugin"}, "spec": {"apiVersion": "example.dev/v1",
	"names": {"kind": "Plugin", "plural": "plugins"}, "schema": {"type": "object", "properties": {"user": {"type": "string"}}}, "stale": ["user:{spec.user}"]}}
---
{"apiVersion": "example.dev/v1", "kind": "Plugin", "metadata": {"name": "search"}, "spec": {"user": "42"}}
`

func TestAnEditorAppliesManifestsThroughANodeWithADatabase(t *testing.T) {
	t.Parallel()
	keeper := of(t, Options{Role: Node, Name: "keeper", Relay: true})
	other := of(t, Options{Role: Node, Name: "web-2", External: true})
	editor, admin := of(t, Options{Role: Editor}), of(t, Options{Role: Admin})
	url := serve(t, keeper, other, editor, admin)
	first, second, e, a := login(t, url, keeper), login(t, url, other), login(t, url, editor), login(t, url, admin)

	n := open(t, first, "keeper")
	store, err := manifest.Open(t.Context(), "sqlite::memory:", n, manifest.WithJournal(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	stop, err := ctl.Serve(first.Conn, n, desk.New(n, store, time.Minute, slog.New(slog.DiscardHandler)).Endpoints()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	if err := errors.Join(n.Ready(within(t, patience)), store.Ready(within(t, patience))); err != nil {
		t.Fatal(err)
	}
	web := join(t, second, lethe.Config{Name: "web-2", ExternalStream: true}).ready()
	web.fill()
	web.keeps("remembered", web.price)

	ask := func(c *conn, what, body string, answer any) {
		t.Helper()
		if err := ctl.Request(within(t, patience), c.Conn, "shop", what, []byte(body), nats.Header{ctl.ReasonHeader: {"a test"}}, answer); err != nil {
			t.Fatalf("%s: %v; refused: %q", what, err, c.refused(t))
		}
	}
	var done ctl.Written
	ask(e, ctl.Apply, plugin, &done)
	if len(done.Results) != 2 || done.Token.IsZero() {
		t.Fatalf("%+v", done)
	}
	web.lost("what the kind says is stale", done.Token, web.price)
	asker := join(t, e, lethe.Config{PublishOnly: true, ExternalStream: true}).ready()
	if report, err := asker.Barrier(within(t, patience), done.Token); err != nil || len(report.Applied) != 2 {
		t.Errorf("the editor asks whether all have applied it: %+v, %v", report, err)
	}
	for _, c := range []*conn{e, a} {
		ask(c, ctl.Get, `{"kind": "plugin", "name": "search"}`, &map[string]any{})
		ask(c, ctl.List, `{"kind": "plugins"}`, &ctl.Page{})
		ask(c, ctl.Diff, plugin, &ctl.Difference{})
		ask(c, ctl.Kinds, "", &ctl.KindList{})
		ask(c, ctl.Ticket, `{"ticket": "`+done.Ticket+`"}`, &ctl.Announcement{})
		ask(c, ctl.Invalidate, `{"kind": "plugin", "name": "search"}`, &ctl.Written{})
		ask(c, ctl.Log, `{"kind": "plugin", "name": "search"}`, &ctl.LogPage{})
	}
	ask(e, ctl.Delete, `{"kind": "plugin", "name": "search"}`, &ctl.Written{})
	ask(a, ctl.Delete, `{"kind": "kind", "name": "plugin"}`, &ctl.Written{})
	silent(t, first, second, e, a)

	for _, subject := range []string{
		"lethe.v1.log.shop.all", "lethe.v1.log.shop.tag.user", "lethe.v1.log.shop.manifest.plugin.applied", "lethe.v1.live.shop.all",
		"lethe.v1.ctl.shop.presence.web-2", "lethe.v1.ctl.shop.explain._all", "lethe.v1.ctl.other.apply", "$JS.API.STREAM.UPDATE.LETHE_SHOP",
	} {
		e.mayNot(t, subject)
	}
	e.mayNotHear(t, "lethe.v1.ctl.shop.apply")
	e.mayNotHear(t, "lethe.v1.live.shop.>")
	// A node without a database takes no question about manifests, which only one that has one can answer.
	second.mayNotHear(t, "lethe.v1.ctl.shop.apply")
	second.mayNot(t, "lethe.v1.ctl.shop.apply")
}

// What the server answers an editor goes where the request says: it must stay in the editor's account.
func TestAnEditorIsAGuestOfTheStreamsAccount(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	editor := of(t, Options{Role: Editor})
	url := serve(t, append(users, editor)...)
	n := join(t, login(t, url, c.node), lethe.Config{Name: c.node.Name}).ready()
	a := attacked{n, login(t, url, c.team), login(t, url, c.admin)}
	e := login(t, url, editor)
	for _, subject := range []string{"$JS.API.STREAM.INFO.LETHE_SHOP", "lethe.v1.ctl.shop.barrier", "lethe.v1.ctl.shop.apply"} {
		if err := e.PublishRequest(subject, "lethe.v1.log.shop.all", []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	a.settle()
	if got := a.stored("lethe.v1.log.shop.all"); got != 0 {
		t.Errorf("%d answers were stored as events", got)
	}
}

// open is a node without functions.
func open(t *testing.T, c *conn, name string) *lethe.Node {
	t.Helper()
	n, err := lethe.Open(t.Context(), lethe.Config{Conn: c.Conn, Fleet: "shop", Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func TestARelayAnnouncesWhatTransactionsHaveWritten(t *testing.T) {
	t.Parallel()
	web := of(t, Options{Role: Node})
	relay := of(t, Options{Role: Publisher, Name: "relay", Relay: true})
	url := serve(t, web, relay)
	n := join(t, login(t, url, web), lethe.Config{Name: web.Name}).ready()
	n.fill()
	n.keeps("remembered", n.price)

	c := login(t, url, relay)
	p := join(t, c, lethe.Config{PublishOnly: true, ExternalStream: true}).ready()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "shop.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := outbox.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	r, err := outbox.StartRelay(t.Context(), db, p, outbox.RelayConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := outbox.Append(t.Context(), tx, event.Tag("user:42"), total.Key("42"), event.Tag("order:1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	r.Wake()
	token, err := r.Wait(within(t, patience), ticket)
	if err != nil {
		t.Fatalf("%v; refused: %q", err, c.refused(t))
	}
	n.lost("a transaction has said so", token, n.price)
	silent(t, c)
	c.mayNot(t, "lethe.v1.log.shop._sys.lost")
}

func TestANodeWithADatabaseIsNotNarrowed(t *testing.T) {
	t.Parallel()
	_, err := Of(Options{Role: Node, Fleet: "shop", Relay: true, Tags: []string{"user"}})
	if err == nil {
		t.Error("it announces whatever is in its database")
	}
}
