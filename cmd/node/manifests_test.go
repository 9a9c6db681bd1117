package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
)

const kindOfBots = `
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: chatbot}
spec:
  apiVersion: example.dev/v1
  names: {kind: Chatbot, plural: chatbots, shortNames: [bot]}
  schema: {type: object, required: [model], properties: {model: {type: string}, account: {type: string}}}
  stale: ["account:{spec.account}"]
`

func bot(name, model string, more ...string) string {
	return fmt.Sprintf("---\napiVersion: example.dev/v1\nkind: Chatbot\nmetadata: {namespace: acme, name: %s%s}\nspec: {model: %s}\n", name, strings.Join(more, ""), model)
}

// startStores is sites of these names on one server and one database.
func startStores(t *testing.T, names ...string) []*site {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	file := "sqlite:" + filepath.Join(t.TempDir(), "lethe.db")
	sites := make([]*site, 0, len(names))
	for _, name := range names {
		sites = append(sites, joinStore(t, srv, name, file))
	}
	return sites
}

// must is ask, of which that status is required.
func (s *site) must(status int, method, path, body string, header ...string) (map[string]any, http.Header) {
	s.t.Helper()
	got, answer, h := s.ask(method, path, body, header...)
	if ticket, _ := answer["ticket"].(string); got == 202 && status == 200 && ticket != "" {
		// A busy machine takes longer than a second to announce it.
		var announced map[string]any
		got, announced, h = s.ask("GET", "/v1/tickets/"+ticket+"?timeout=60s", "")
		maps.Copy(answer, announced)
	}
	if got != status {
		s.t.Fatalf("%s %s: %d %v, want %d", method, path, got, answer, status)
	}
	return answer, h
}

// apply applies a text and returns its token.
func (s *site) apply(text string) string {
	s.t.Helper()
	got, h := s.must(200, "POST", "/v1/manifests", text)
	token, _ := got["token"].(string)
	if token == "" || h.Get("Lethe-Token") != token {
		s.t.Fatalf("no token: %v, %v", got, h)
	}
	return token
}

// model is spec.model of a bot as the site has it, and how it was answered.
func (s *site) model(name, token string) (model, cache string) {
	s.t.Helper()
	got, h := s.must(200, "GET", "/v1/manifests/bot/acme/"+name, "", "Lethe-Token", token)
	spec, _ := got["spec"].(map[string]any)
	model, _ = spec["model"].(string)
	return model, h.Get("Lethe-Cache")
}

func TestWhatOneNodeAppliesTheOtherForgets(t *testing.T) {
	t.Parallel()
	sites := startStores(t, "one", "two")
	one, two := sites[0], sites[1]
	token := one.apply(kindOfBots + bot("helper", "m1") + bot("other", "m1"))
	for _, want := range []string{"m1 miss", "m1 hit", "m1 hit"} {
		if model, cache := two.model("helper", token); model+" "+cache != want {
			t.Errorf("%s %s, want %s", model, cache, want)
		}
	}
	two.model("other", token)
	two.must(404, "GET", "/v1/manifests/CHATBOTS/acme/new", "")
	got, _ := two.must(404, "GET", "/v1/manifests/chatbot/acme/new", "")
	if got["cache"] != "negative" || got["field"] != "name" {
		t.Errorf("%v", got)
	}
	list := func(cache string) int {
		t.Helper()
		got, h := two.must(200, "GET", "/v1/manifests/bot/acme", "", "Lethe-Token", token)
		if h.Get("Lethe-Cache") != cache {
			t.Errorf("the list is a %s, want %s", h.Get("Lethe-Cache"), cache)
		}
		items, _ := got["items"].([]any)
		return len(items)
	}
	if list("miss") != 2 || list("hit") != 2 {
		t.Error("want two")
	}

	token = one.apply(bot("helper", "m2") + bot("new", "m1"))
	if model, cache := two.model("helper", token); model != "m2" || cache != "miss" {
		t.Errorf("with the token: %s %s", model, cache)
	}
	if model, cache := two.model("new", token); model != "m1" || cache != "miss" {
		t.Errorf("what was not there: %s %s", model, cache)
	}
	if _, cache := two.model("other", token); cache != "hit" {
		t.Errorf("what has not changed was forgotten: %s", cache)
	}
	if list("miss") != 3 {
		t.Error("want three")
	}

	got, h := one.must(200, "POST", "/v1/manifests", bot("helper", "m2"))
	if results, _ := got["results"].([]any); len(results) != 1 || got["token"] != nil || got["ticket"] != nil || h.Get("Lethe-Token") != "" {
		t.Errorf("unchanged: %v", got)
	}
	got, _ = one.must(200, "POST", "/v1/manifests/bot/acme/helper/invalidate", "")
	token, _ = got["token"].(string)
	if model, cache := two.model("helper", token); model != "m2" || cache != "miss" {
		t.Errorf("announced: %s %s", model, cache)
	}
	if text := fmt.Sprint(got); strings.Contains(text, "exists") {
		t.Errorf("what there is: %s", text)
	}
	for _, path := range []string{"chatbots/acme/invalidate", "bot/invalidate"} { // all of the kind
		got, _ = one.must(200, "POST", "/v1/manifests/"+path, "")
		token, _ = got["token"].(string)
		if model, cache := two.model("helper", token); model != "m2" || cache != "miss" {
			t.Errorf("%s: %s %s", path, model, cache)
		}
	}
	one.must(404, "POST", "/v1/manifests/nothing/invalidate", "")
	got, _ = one.must(200, "POST", "/v1/manifests/bot/default/helper/invalidate", "")
	if text := fmt.Sprint(got); got["token"] == nil || !strings.Contains(text, "exists:false") {
		t.Errorf("what there is not: %s", text)
	}
	got, h = one.must(200, "DELETE", "/v1/manifests/bot/acme/helper", "", "Lethe-Reason", "it is over")
	if token, _ = got["token"].(string); token == "" || h.Get("Lethe-Token") != token {
		t.Errorf("deleted: %v", got)
	}
	two.must(404, "GET", "/v1/manifests/bot/acme/helper", "", "Lethe-Token", token)
	one.must(404, "DELETE", "/v1/manifests/bot/acme/helper", "")
}

func TestEveryManifestReadWaitsForTheTokenItBrings(t *testing.T) {
	t.Parallel()
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	file := "sqlite:" + filepath.Join(t.TempDir(), "lethe.db")
	var link cmdtest.Link
	one, two := joinStore(t, srv, "one", file), joinStore(t, srv, "two", file, link.Option())
	t.Cleanup(link.Thaw)
	token := one.apply(kindOfBots + bot("helper", "m1"))
	if model, _ := two.model("helper", token); model != "m1" {
		t.Fatal(model)
	}
	link.Freeze()
	token = one.apply(bot("helper", "m2"))
	if model, cache := two.model("helper", ""); model != "m1" || cache != "hit" {
		t.Errorf("it can't have heard of it: %s %s", model, cache)
	}
	// The second is over: the database is asked.
	if model, cache := two.model("helper", token); model != "m2" || cache != "bypass" {
		t.Errorf("with the token: %s %s", model, cache)
	}
	got, h := two.must(200, "GET", "/v1/manifests/bot", "", "Lethe-Token", token)
	if h.Get("Lethe-Cache") != "bypass" || !strings.Contains(fmt.Sprint(got), "m2") {
		t.Errorf("the list: %v %v", got, h)
	}
	link.Thaw()
	two.must(200, "GET", "/v1/wait?timeout=60s&token="+token, "")
	if model, cache := two.model("helper", token); model != "m2" || cache != "miss" {
		t.Errorf("thawed: %s %s", model, cache)
	}
}

func TestAManifestIsServedInTheFormThatIsAskedFor(t *testing.T) {
	t.Parallel()
	s := startStores(t, "one")[0]
	token := s.apply(kindOfBots + bot("a", "m1", ", labels: {team: x}") + bot("b", "m1") + bot("c", "m1"))
	got, h := s.must(200, "GET", "/v1/manifests/bot/acme/a?format=yaml", "", "Lethe-Token", token)
	if text, _ := got["text"].(string); !strings.HasPrefix(text, "apiVersion: example.dev/v1\nkind: Chatbot\n") || h.Get("Content-Type") != "application/yaml" {
		t.Errorf("%v %v", got, h)
	}
	got, _ = s.must(200, "GET", "/v1/kinds/chatbots/example", "", "Accept", "application/yaml")
	if text, _ := got["text"].(string); !strings.Contains(text, "kind: Chatbot\n") {
		t.Errorf("%v", got)
	}
	got, _ = s.must(200, "GET", "/v1/kinds/chatbots/example", "")
	if got["kind"] != "Chatbot" {
		t.Errorf("%v", got)
	}
	got, h = s.must(200, "GET", "/v1/kinds/bot/schema", "")
	if text, _ := got["text"].(string); !strings.Contains(text, `"required"`) || h.Get("Content-Type") != "application/schema+json" {
		t.Errorf("%v %v", got, h)
	}
	got, _ = s.must(200, "GET", "/v1/kinds", "")
	if kinds, _ := got["kinds"].([]any); len(kinds) != 2 {
		t.Errorf("%v", got)
	}
	got, h = s.must(200, "GET", "/v1/manifests/bot?labelSelector="+url.QueryEscape("team=x"), "")
	if items, _ := got["items"].([]any); len(items) != 1 || h.Get("Lethe-Cache") != "bypass" {
		t.Errorf("%v %v", got, h)
	}
	var names []string
	for next := ""; ; {
		at := "/v1/manifests/bot/acme?limit=2"
		if next != "" {
			at += "&continue=" + url.QueryEscape(next)
		}
		got, _ = s.must(200, "GET", at, "")
		items, _ := got["items"].([]any)
		for _, i := range items {
			o, _ := i.(map[string]any)
			m, _ := o["metadata"].(map[string]any)
			name, _ := m["name"].(string)
			names = append(names, name)
		}
		if next, _ = got["continue"].(string); next == "" {
			break
		}
	}
	if strings.Join(names, "") != "abc" {
		t.Errorf("in pages: %v", names)
	}
	status, got, _ := s.ask("GET", "/v1/functions/manifest.get?arg=BOT&arg=acme&arg=a", "")
	if status != 200 || got["cache"] != "hit" {
		t.Errorf("by its function, under the kind's own name: %d %v", status, got)
	}
	status, got, _ = s.ask("GET", "/v1/functions/manifest.get/explain?arg=BOT&arg=acme&arg=a", "")
	if nodes, _ := got["nodes"].([]any); status != 200 || len(nodes) != 1 || !strings.Contains(fmt.Sprint(nodes[0]), "touchedBy:map[id:") || !strings.Contains(fmt.Sprint(nodes[0]), "cached:true") {
		t.Errorf("what was read was recorded: %d %v", status, got)
	}
	status, got, _ = s.ask("GET", "/v1/functions/manifest.list?arg=bot&arg=", "")
	if status != 200 || got["cache"] != "miss" {
		t.Errorf("%d %v", status, got)
	}
	status, got, _ = s.ask("GET", "/v1/functions/manifest.kind?arg=Bot", "")
	if status != 200 || got["value"] != "Chatbot" {
		t.Errorf("%d %v", status, got)
	}
	if status, got, _ = s.ask("GET", "/v1/status", ""); !strings.Contains(fmt.Sprint(got["manifests"]), "ready:true") {
		t.Errorf("%d %v", status, got)
	}
	if status, got, _ = s.ask("GET", "/metrics", ""); !strings.Contains(fmt.Sprint(got["text"]), "lethe_outbox_depth") {
		t.Errorf("%d: no outbox_depth", status)
	}
}

func TestWhatIsWrongWithAManifestRequestIsSaid(t *testing.T) {
	t.Parallel()
	s := startStores(t, "one")[0]
	s.apply(kindOfBots + bot("a", "m1"))
	conflict := "apiVersion: example.dev/v1\nkind: Chatbot\nmetadata: {namespace: acme, name: a, resourceVersion: \"999\"}\nspec: {model: m2}\n"
	for _, tc := range []struct {
		method, path, body string
		status             int
		field              string
		line, document     float64
	}{
		{"POST", "/v1/manifests", "a: b\na: c\n", 400, "a", 2, 1},
		{"POST", "/v1/manifests", "", 400, "", 0, 0},
		{"POST", "/v1/manifests", "{", 400, "", 0, 1},
		{"POST", "/v1/manifests", bot("b", "m1") + bot("a", "[]"), 422, "spec.model", 10, 2},
		{"POST", "/v1/manifests", strings.ReplaceAll(bot("b", "m1"), "Chatbot", "Nothing"), 422, "kind", 3, 1},
		{"POST", "/v1/manifests?dryRun=perhaps", bot("b", "m1"), 400, "dryRun", 0, 0},
		{"POST", "/v1/manifests?dryrun=true", bot("b", "m1"), 400, "dryrun", 0, 0},
		{"POST", "/v1/manifests", conflict, 409, "metadata.resourceVersion", 3, 1},
		{"POST", "/v1/manifests", strings.Repeat("#", maxBody+1), 413, "", 0, 0},
		{"GET", "/v1/manifests/nothing", "", 404, "kind", 0, 0},
		{"GET", "/v1/manifests/bot/acme/b", "", 404, "name", 0, 0},
		{"GET", "/v1/manifests/bot/acme/a?format=xml", "", 400, "format", 0, 0},
		{"GET", "/v1/manifests/bot?limit=x", "", 400, "limit", 0, 0},
		{"GET", "/v1/manifests/bot?limit=6000", "", 422, "limit", 0, 0},
		{"GET", "/v1/manifests/bot?limit=-1", "", 422, "limit", 0, 0},
		{"GET", "/v1/manifests/bot?selector=a", "", 400, "selector", 0, 0},
		{"GET", "/v1/manifests/bot?limit=1&limit=2", "", 400, "limit", 0, 0},
		{"GET", "/v1/manifests/bot?continue=x", "", 422, "continue", 0, 0},
		{"DELETE", "/v1/manifests/bot/acme/b", "", 404, "name", 0, 0},
		{"DELETE", "/v1/manifests/nothing/acme/b", "", 404, "kind", 0, 0},
		{"GET", "/v1/kinds/nothing", "", 404, "kind", 0, 0},
		{"GET", "/v1/kinds/nothing/schema", "", 404, "kind", 0, 0},
		{"GET", "/v1/tickets/abc", "", 422, "ticket", 0, 0},
		{"GET", "/v1/tickets/abc?timeout=2h", "", 400, "timeout", 0, 0},
		{"PUT", "/v1/manifests", "", 405, "method", 0, 0},
		{"GET", "/v1/functions/manifest.get?arg=bot", "", 422, "args", 0, 0},
		{"GET", "/v1/functions/manifest.get?args=[1,2,3]", "", 422, "args", 0, 0},
		{"GET", "/v1/functions/manifest.get?arg=bot&arg=acme&arg=none", "", 404, "name", 0, 0},
	} {
		status, got, _ := s.ask(tc.method, tc.path, tc.body)
		field, _ := got["field"].(string)
		line, _ := got["line"].(float64)
		document, _ := got["document"].(float64)
		text, _ := got["error"].(string)
		if status != tc.status || text == "" || tc.field != "" && field != tc.field || tc.line > 0 && line != tc.line || tc.document > 0 && document != tc.document {
			t.Errorf("%s %s %.60q: %d %v, want %d, field %q, line %v, document %v", tc.method, tc.path, tc.body, status, got, tc.status, tc.field, tc.line, tc.document)
		}
	}
	s.must(404, "GET", "/v1/manifests/bot/acme/b", "")
	if status, got, _ := s.ask("DELETE", "/v1/manifests/bot/acme/a", "", "Lethe-Reason", strings.Repeat("x", maxReasonOfTests+1)); status != 422 || got["field"] != "Lethe-Reason" {
		t.Errorf("%d %v", status, got)
	}
	token := event.NewToken("elsewhere", "x", 1).String()
	if status, got, _ := s.ask("GET", "/v1/manifests/bot/acme/a", "", "Lethe-Token", token); status != 400 || got["field"] != "Lethe-Token" {
		t.Errorf("%d %v", status, got)
	}
}

// maxReasonOfTests is what a reason may have.
const maxReasonOfTests = 1 << 10

func TestANodeWithoutADatabaseSaysSo(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	for _, path := range []string{"/v1/manifests/bot", "/v1/manifests/bot/acme/a", "/v1/kinds", "/v1/kinds/bot/schema", "/v1/tickets/x"} {
		if got, _ := s.must(503, "GET", path, ""); !strings.Contains(fmt.Sprint(got["error"]), "--database-url") {
			t.Errorf("%s: %v", path, got)
		}
	}
	s.must(503, "POST", "/v1/manifests", bot("a", "m1"))
	s.must(404, "GET", "/v1/functions/manifest.get?arg=bot&arg=acme&arg=a", "")
	if _, got, _ := s.ask("GET", "/v1/status", ""); got["manifests"] != nil {
		t.Errorf("%v", got)
	}
}

func TestACommittedChangeIsAcceptedWhileTheBusIsAway(t *testing.T) {
	t.Parallel()
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	var away gate
	s := joinStore(t, srv, "one", "sqlite::memory:", nats.SetCustomDialer(&away), nats.ReconnectWait(20*time.Millisecond))
	s.apply(kindOfBots)
	away.cut()
	got, h := s.must(202, "POST", "/v1/manifests", bot("a", "m1"))
	ticket, _ := got["ticket"].(string)
	if ticket == "" || got["token"] != nil || h.Get("Lethe-Token") != "" {
		t.Fatalf("%v", got)
	}
	// What is committed is there at once on the node that has applied it.
	if model, _ := s.model("a", ""); model != "m1" {
		t.Errorf("it has %q", model)
	}
	late, _ := s.must(504, "GET", "/v1/tickets/"+ticket+"?timeout=50ms", "")
	if !strings.Contains(fmt.Sprint(late["error"]), "committed") {
		t.Errorf("%v", late)
	}
	status := func() any { _, got, _ := s.ask("GET", "/v1/status", ""); return got["outbox"] }
	s.outbox("it waits, and why is said", status, func(o map[string]any) bool {
		age, _ := o["oldestMs"].(float64)
		worker, _ := o["worker"].(string)
		return o["depth"] == 1.0 && age > 0 && o["error"] != nil && o["working"] == true && strings.HasPrefix(worker, "one.")
	})
	away.mend()
	done, h := s.must(200, "GET", "/v1/tickets/"+ticket+"?timeout=60s", "")
	if token, _ := done["token"].(string); token == "" || h.Get("Lethe-Token") != token {
		t.Errorf("%v", done)
	}
	empty := func(o map[string]any) bool { return o["depth"] == 0.0 && o["error"] == nil }
	s.outbox("nothing waits", status, empty)
	s.outbox("nothing waits, of the fleet's nodes", func() any {
		_, got, _ := s.ask("GET", "/v1/nodes", "")
		nodes, _ := got["nodes"].([]any)
		if len(nodes) != 1 {
			return nil
		}
		node, _ := nodes[0].(map[string]any)
		return node["outbox"]
	}, empty)
}

// Without its database a node does not say that nothing waits, nor that it may work with manifests.
func TestANodeWhoseDatabaseIsAwayDoesNotLookHealthy(t *testing.T) {
	t.Parallel()
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	file := filepath.Join(t.TempDir(), "lethe.db")
	s := joinStore(t, srv, "one", "sqlite:"+file)
	s.apply(kindOfBots)
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	rename := func(from, to string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), "PRAGMA busy_timeout = 60000; ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Fatal(err)
		}
	}
	var last map[string]any
	status := func() any { _, last, _ = s.ask("GET", "/v1/status", ""); return last["outbox"] }
	s.outbox("nothing waits", status, func(o map[string]any) bool { return o["depth"] == 0.0 && o["error"] == nil })
	rename("lethe_outbox", "elsewhere")
	s.outbox("nothing is known of the rows", status, func(o map[string]any) bool {
		depth, told := o["depth"]
		why, _ := o["error"].(string)
		return told && depth == nil && o["parked"] == nil && strings.Contains(why, "lethe_outbox")
	})
	if m, _ := last["manifests"].(map[string]any); m["ready"] != false || !strings.Contains(fmt.Sprint(m["reason"]), "does not answer") {
		t.Errorf("without a database: %v", last["manifests"])
	}
	rename("elsewhere", "lethe_outbox")
	s.outbox("nothing waits again", status, func(o map[string]any) bool { return o["depth"] == 0.0 && o["error"] == nil })
	if m, _ := last["manifests"].(map[string]any); m["ready"] != true {
		t.Errorf("with its database: %v", last["manifests"])
	}
}

// outbox waits until what is shown of one is right.
func (s *site) outbox(what string, shown func() any, right func(map[string]any) bool) {
	s.t.Helper()
	var last any
	for end := time.Now().Add(cmdtest.Patience); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		last = shown()
		if o, ok := last.(map[string]any); ok && right(o) {
			return
		}
	}
	s.t.Errorf("never: %s; at last %v", what, last)
}

func TestTheLoggerOfANodeNamesNoPassword(t *testing.T) {
	t.Parallel()
	cfg := config{
		databaseURL: "postgres://lethe:s3cret@127.0.0.1:1/lethe?sslmode=disable&connect_timeout=1", fleet: "shop", http: "127.0.0.1:0", logFormat: "text", maxEvents: 1,
		maxBytes: minSize, maxHotBytes: minSize, maxTTL: time.Hour, maxStaleness: minStaleness,
	}
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	s := startSite(t)
	var opened closers
	_, err := openDatabase(t.Context(), &cfg, s.api.node, slog.New(slog.DiscardHandler), &opened)
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "--database-url postgres://127.0.0.1:1/lethe") {
		t.Errorf("%v", err)
	}
}

func TestWhatIsSecretIsCutOutOfErrors(t *testing.T) {
	t.Parallel()
	const dsn = "postgres://lethe:s3cret@db/lethe"
	for _, text := range []string{"cannot connect to " + dsn, "user lethe with s3cret is refused"} {
		if err := hidden(errors.New(text), dsn); strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
	plain := errors.New("no route to host")
	if err := hidden(plain, dsn); !errors.Is(err, plain) {
		t.Errorf("%v", err)
	}
}

func TestWhereManifestsAreKept(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ databaseURL, natsURL, stateDir, want string }{
		{"", "", "", "sqlite::memory:"},
		{"", "", "state", "sqlite:state/lethe.db"},
		{"none", "", "state", ""},
		{"", "nats://elsewhere", "", ""},
		{"sqlite:x.db", "nats://elsewhere", "", "sqlite:x.db"},
		{"postgres://a@b/c", "", "state", "postgres://a@b/c"},
	} {
		cfg := config{databaseURL: tc.databaseURL, stateDir: tc.stateDir}
		cfg.nats.Server = tc.natsURL
		if got := cfg.database(); got != tc.want {
			t.Errorf("%+v: %q", tc, got)
		}
	}
	for _, bad := range []string{"mysql://x", "sqlite", "sqlite:", "postgres:x", "none:x", "/var/lethe.db", "user:s3cret@host"} {
		if err := checkDatabase(bad); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
