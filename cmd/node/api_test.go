package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// site is one node behind HTTP, on a real server in this process.
type site struct {
	*httptest.Server
	api  *api
	dir  string
	t    *testing.T
	conn *nats.Conn
}

func startSite(t *testing.T) *site {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return joinSite(t, srv, "one")
}

func joinSite(t *testing.T, srv *embedded.Server, name string, opts ...nats.Option) *site {
	t.Helper()
	return joinStore(t, srv, name, noDatabase, opts...)
}

// joinStore is joinSite with a database.
func joinStore(t *testing.T, srv *embedded.Server, name, database string, opts ...nats.Option) *site {
	t.Helper()
	connect := srv.Connect
	if len(opts) > 0 { // those may say how to get to the server's address
		connect = func(opts ...nats.Option) (*nats.Conn, error) {
			return nats.Connect(srv.URL(), append(opts, nats.Timeout(cmdtest.Patience))...)
		}
	}
	conn, err := connect(append(opts, nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	logger := slog.New(slog.DiscardHandler)
	node, err := lethe.Open(t.Context(), lethe.Config{Conn: conn, Fleet: "shop", Name: name, Logger: logger, MaxStaleness: cmdtest.Patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Close() })
	cfg := config{databaseURL: database}
	var opened closers
	store, err := openDatabase(t.Context(), &cfg, node, logger, &opened)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.close() })
	files, dir := sandbox(t)
	a, err := newAPI(node, &link{Conn: conn}, files, store, time.Hour, logger)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := ctl.ServeWith(conn, node, a.outbox, a.endpoints()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	if err := node.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if store != nil {
		if err := store.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a.ready.Store(true)
	a.events.begin(node.Position())
	g, err := newGuard("", true)
	if err != nil {
		t.Fatal(err)
	}
	h := a.handler(g)
	s := &site{httptest.NewUnstartedServer(h), a, dir, t, conn}
	s.Config = a.server(h)
	s.Start()
	t.Cleanup(func() {
		a.events.close()
		s.Close()
	})
	return s
}

// ask returns status and body of a request; header is names and values by turns.
func (s *site) ask(method, path, body string, header ...string) (int, map[string]any, http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var got map[string]any
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(text, &got); err != nil {
			s.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	} else {
		got = map[string]any{"text": string(text)}
	}
	return res.StatusCode, got, res.Header
}

func (s *site) read(path, cache string) string {
	s.t.Helper()
	status, got, _ := s.ask("GET", "/v1/functions/file.read?arg="+url.QueryEscape(path), "")
	if got["cache"] != cache {
		s.t.Fatalf("%s: %d %v, want a %s", path, status, got, cache)
	}
	value, _ := got["value"].(map[string]any)
	content, _ := value["content"].(string)
	return content
}

// forget invalidates and returns the token.
func (s *site) forget(body string) string {
	s.t.Helper()
	status, got, header := s.ask("POST", "/v1/invalidate", body)
	token, _ := got["token"].(string)
	if status != 200 || token == "" || header.Get("Lethe-Token") != token {
		s.t.Fatalf("%d %v, header %q", status, got, header.Get("Lethe-Token"))
	}
	return token
}

func TestAFileIsRememberedUntilItsKeyTagPrefixFunctionOrAllIsForgotten(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	for i, body := range []string{
		`{"targets":[{"function":"file.read","args":["sub/b.txt"]}],"reason":"by key"}`,
		`{"targets":[{"tag":"file:sub/b.txt"}]}`,
		`{"targets":[{"tagPrefix":"file:sub/"}]}`,
		`{"targets":[{"function":"file.read"}]}`,
		`{"targets":[{"all":true}]}`,
	} {
		old := s.read("sub/b.txt", "miss")
		fresh := strings.Repeat("x", i+1)
		put(t, filepath.Join(s.dir, "sub", "b.txt"), fresh)
		if got := s.read("sub/b.txt", "hit"); got != old {
			t.Errorf("%s: not announced yet, but read %q", body, got)
		}
		s.forget(body)
		if got := s.read("sub/b.txt", "miss"); got != fresh {
			t.Errorf("%s: read %q, want %q", body, got, fresh)
		}
		s.forget(`{"targets":[{"tag":"file:sub/b.txt"}]}`)
	}
	s.read("a.txt", "miss")
	s.forget(`{"targets":[{"tagPrefix":"file:sub/"},{"tag":"file:other"},{"function":"file.read","args":["b"]}]}`)
	s.read("a.txt", "hit")
}

func TestThatAFileDoesNotExistIsRememberedAndForgottenToo(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	status, got, _ := s.ask("GET", "/v1/functions/file.read?arg=new.txt", "")
	if status != 404 || got["field"] != "path" || got["cache"] == "negative" {
		t.Fatalf("%d %v", status, got)
	}
	put(t, filepath.Join(s.dir, "new.txt"), "new")
	if status, got, _ = s.ask("GET", "/v1/functions/file.read?arg=new.txt", ""); status != 404 || got["cache"] != "negative" {
		t.Fatalf("%d %v, want it remembered", status, got)
	}
	s.forget(`{"targets":[{"tag":"file:new.txt"}]}`)
	if content := s.read("new.txt", "miss"); content != "new" {
		t.Errorf("read %q", content)
	}
}

func TestAFileReadThroughALinkIsForgottenByEitherName(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	symlink(t, "sub/b.txt", filepath.Join(s.dir, "alias"))
	for _, tag := range []string{"file:alias", "file:sub/b.txt"} {
		s.read("alias", "miss")
		s.read("alias", "hit")
		s.forget(`{"targets":[{"tag":"` + tag + `"}]}`)
	}
	s.read("alias", "miss")
}

func TestABadRequestNamesItsFieldAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	symlink(t, "../../secret.txt", filepath.Join(s.dir, "sub", "out"))
	before := s.api.node.Status().Cursor
	otherFleet := event.NewToken("other", "e", 1).String()
	for _, tc := range []struct {
		method, path, body string
		header             []string
		status             int
		field              string
	}{
		{"GET", "/v1/functions/no.such?arg=a", "", nil, 404, "name"},
		{"GET", "/v1/functions/file.read", "", nil, 422, "args"},
		{"GET", "/v1/functions/file.read?arg=a&arg=b", "", nil, 422, "args"},
		{"GET", "/v1/functions/file.read?args=[1]", "", nil, 422, "args"},
		{"GET", "/v1/functions/file.read?args=a.txt", "", nil, 400, "args"},
		{"GET", "/v1/functions/file.read?args=null", "", nil, 400, "args"},
		{"GET", "/v1/functions/file.read?args=[]&arg=a", "", nil, 400, "args"},
		{"GET", "/v1/functions/file.read?path=a.txt", "", nil, 400, "path"},
		{"GET", "/v1/functions/file.read?arg=../secret.txt", "", nil, 422, "path"},
		{"GET", "/v1/functions/file.read?arg=sub/out", "", nil, 403, "path"},
		{"GET", "/v1/functions/file.read?arg=sub", "", nil, 422, "path"},
		{"GET", "/v1/functions/file.read?arg=a.txt", "", []string{"Lethe-Token", "nonsense"}, 400, "Lethe-Token"},
		{"GET", "/v1/functions/file.read?arg=a.txt", "", []string{"Lethe-Token", otherFleet}, 400, "Lethe-Token"},
		{"GET", "/v1/functions/file.read/explain", "", nil, 422, "args"},
		{"GET", "/v1/wait?token=x", "", nil, 400, "token"},
		{"GET", "/v1/wait", "", nil, 400, "token"},
		{"GET", "/v1/wait?timeout=1h&token=" + s.api.node.Position().String(), "", nil, 400, "timeout"},
		{"GET", "/v1/barrier?token=x", "", nil, 400, "token"},
		{"GET", "/v1/barrier", "", nil, 400, "token"},
		{"GET", "/v1/barrier?token=" + otherFleet, "", nil, 400, "token"},
		{"GET", "/v1/barrier?timeout=-1s&token=" + s.api.node.Position().String(), "", nil, 400, "timeout"},
		{"GET", "/v1/functions/file.read/explain?args=[1]", "", nil, 422, "args"},
		{"GET", "/v1/functions/no..such/explain?arg=a", "", nil, 422, "function"},
		{"GET", "/v1/functions/file.read/explain?arg=a.txt", "", []string{"Lethe-Token", "nonsense"}, 400, "Lethe-Token"},
		{"GET", "/v1/status", "", []string{"Lethe-Token", otherFleet}, 400, "Lethe-Token"},
		{"GET", "/v1/nodes", "", []string{"Lethe-Token", "nonsense"}, 400, "Lethe-Token"},
		{"GET", "/v1/functions", "", []string{"Lethe-Token", "nonsense"}, 400, "Lethe-Token"},
		{"GET", "/v1/events", "", []string{"Last-Event-ID", "x"}, 400, "Last-Event-ID"},
		{"GET", "/schemas/no.json", "", nil, 404, "file"},
		{"GET", "/page/no.mjs", "", nil, 404, "file"},
		{"GET", "/nowhere", "", nil, 404, ""},
		{"DELETE", "/v1/invalidate", "", nil, 405, "method"},
		{"POST", "/v1/invalidate", "{", nil, 422, ""},
		{"POST", "/v1/invalidate", `{"targets":[]}`, nil, 422, "targets"},
		{"POST", "/v1/invalidate", `{"targets":[{"all":true},{"tag":"nofamily"}]}`, nil, 422, "targets[1].tag"},
		{"POST", "/v1/invalidate", `{"targets":[{"all":true}],"extra":1}`, nil, 422, "extra"},
		{"POST", "/v1/invalidate", strings.Repeat(" ", maxBody+1), nil, 413, ""},
		{"POST", "/v1/invalidate", `{"targets":[{"all":true}]}`, []string{"Origin", "http://evil.example"}, 403, "Origin"},
	} {
		status, got, _ := s.ask(tc.method, tc.path, tc.body, tc.header...)
		field, _ := got["field"].(string)
		if status != tc.status || tc.field != "" && field != tc.field || got["error"] == nil || got["error"] == "" {
			t.Errorf("%s %s %.40s: got %d %v, want %d with field %q", tc.method, tc.path, tc.body, status, got, tc.status, tc.field)
		}
		if said := fmt.Sprint(got); strings.Contains(said, "secret]") || got["value"] != nil {
			t.Errorf("%s %s: told what is outside: %s", tc.method, tc.path, said)
		}
	}
	s.read("a.txt", "miss")
	token := s.forget(`{"targets":[{"tag":"probe:1"}]}`)
	parsed, err := event.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	// Only ticks may stand between, and the probe itself where it was sent twice: none of the above was published.
	for n, m := range published(t, s, before, parsed.Sequence()) {
		if !slices.Equal(m.Targets, []event.Target{event.Tag("probe:1")}) {
			t.Errorf("refused, but published at %d: %v", n, m)
		}
	}
}

func TestAReadWithATokenIsNoOlderThanTheToken(t *testing.T) {
	t.Parallel()
	srv, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	one, two := joinSite(t, srv, "one"), joinSite(t, srv, "two")
	for range 50 {
		two.ask("GET", "/v1/functions/file.read?arg=a.txt", "")
		token := one.forget(`{"targets":[{"function":"file.read","args":["a.txt"]}]}`)
		status, got, _ := two.ask("GET", "/v1/functions/file.read?arg=a.txt", "", "Lethe-Token", token)
		if status != 200 || got["cache"] != "miss" {
			t.Fatalf("%d %v", status, got)
		}
	}
}

func TestWaitAnswersWhenAppliedAndSaysWhereTheNodeStandsWhenNot(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	token := s.forget(`{"targets":[{"all":true}]}`)
	if status, got, _ := s.ask("GET", "/v1/wait?token="+token, ""); status != 200 || got["applied"] != true {
		t.Errorf("%d %v", status, got)
	}
	here, err := event.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	// Soon enough to exist, too far to be reached in time.
	ahead := event.NewToken("shop", here.Epoch(), here.Sequence()+1000).String()
	status, got, _ := s.ask("GET", "/v1/wait?timeout=50ms&token="+ahead, "")
	if status != 504 && status != 422 {
		t.Errorf("%d %v", status, got)
	}
	if cursor, _ := got["cursor"].(float64); status == 504 && uint64(cursor) < here.Sequence() {
		t.Errorf("says it stands at %v, before %d", got["cursor"], here.Sequence())
	}
}

func TestExplainNamesLabelsAndWhatTouchedThem(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	s.read("a.txt", "miss")
	s.forget(`{"targets":[{"tag":"file:a.txt"}],"reason":"because"}`)
	s.read("a.txt", "miss")
	status, got, _ := s.ask("GET", "/v1/functions/file.read/explain?arg=a.txt", "")
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"node":"one"`, `"cached":true`, `"function":"file.read"`, `"args":["a.txt"]`, `"reason":"because"`} {
		if status != 200 || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%d: no %s in %s", status, want, text)
		}
	}
}

func TestTheRestOfTheSiteAnswers(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	s.read("a.txt", "miss")
	for path, want := range map[string]string{
		"/livez":             "ok",
		"/readyz":            "ok",
		"/readyz?lease=1":    "ok",
		"/metrics":           "lethe_propagation_seconds",
		"/":                  "<title>lethe-node</title>",
		"/page/page.mjs":     "EventSource",
		"/page/style.css":    "color-scheme",
		"/v1/functions":      `"name":"file.read"`,
		"/v1/status":         `"state":"current"`,
		"/metrics?x=again":   "lethe_stream_cursor",
		"/page/../page.html": "error",
	} {
		status, got, header := s.ask("GET", path, "")
		text, err := json.Marshal(got)
		if plain, ok := got["text"].(string); ok {
			text = []byte(plain)
		}
		if err != nil || status != 200 && want != "error" || !strings.Contains(string(text), want) {
			t.Errorf("%s: %d %.200s, want %s", path, status, text, want)
		}
		if header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: may be sniffed", path)
		}
	}
}
