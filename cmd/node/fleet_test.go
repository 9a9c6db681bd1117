package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
)

// pair is two nodes, of which the second can be kept from hearing anything.
type pair struct {
	one, two *site
	link     cmdtest.Link
}

func startPair(t *testing.T) *pair {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	p := &pair{}
	p.one, p.two = joinSite(t, srv, "one"), joinSite(t, srv, "two", p.link.Option())
	t.Cleanup(p.link.Thaw) // the first to run: whoever closes is not kept waiting
	return p
}

// change makes node one forget a file, which node two cannot hear of, and returns its token.
func (p *pair) change(t *testing.T) event.Token {
	t.Helper()
	p.link.Freeze()
	token, err := event.ParseToken(p.one.forget(`{"targets":[{"function":"file.read","args":["a.txt"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// names of the nodes in a list, with their states.
func namesIn(list any) (names []string) {
	entries, _ := list.([]any)
	for _, e := range entries {
		m, _ := e.(map[string]any)
		node, _ := m["node"].(string)
		state, _ := m["state"].(string)
		names = append(names, strings.TrimSpace(node+" "+state))
	}
	return names
}

func TestABarrierNamesWhoHasNotAppliedATokenAndIsCompleteWhenAllHave(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	token := p.one.forget(`{"targets":[{"all":true}]}`)
	status, got, _ := p.two.ask("GET", "/v1/barrier?timeout=60s&token="+token, "")
	if status != 200 || !slices.Equal(namesIn(got["applied"]), []string{"one current", "two current"}) || got["error"] != nil {
		t.Fatalf("%d %v", status, got)
	}
	if pending, ok := got["pending"].([]any); !ok || len(pending) != 0 {
		t.Errorf("pending is %v, want an empty list", got["pending"])
	}

	later := p.change(t)
	ask := func() bool { // a busy machine needs longer to answer for node one
		status, got, _ = p.one.ask("GET", "/v1/barrier?timeout=300ms&token="+later.String(), "")
		return status != 504 || len(namesIn(got["applied"])) > 0
	}
	eventually(t, "node one has answered", ask)
	if status != 504 || !slices.Equal(namesIn(got["applied"]), []string{"one current"}) || !slices.Equal(namesIn(got["pending"]), []string{"two silent"}) {
		t.Fatalf("with one frozen: %d %v", status, got)
	}
	if text, _ := got["error"].(string); got["field"] != "token" || !strings.Contains(text, "two") {
		t.Errorf("it is an error like others, that names the node: %v", got)
	}
	p.link.Thaw()
	status, got, _ = p.one.ask("GET", "/v1/barrier?timeout=60s&token="+later.String(), "")
	if status != 200 || len(namesIn(got["applied"])) != 2 {
		t.Errorf("thawed: %d %v", status, got)
	}
	beyond := event.NewToken("shop", later.Epoch(), later.Sequence()+1_000_000).String()
	if status, got, _ = p.one.ask("GET", "/v1/barrier?timeout=60s&token="+beyond, ""); status != 422 {
		t.Errorf("beyond the stream's end: %d %v", status, got)
	}
}

func TestTheFleetIsListedWithWhoDoesNotAnswer(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	p.two.read("a.txt", "miss")
	status, got, _ := p.one.ask("GET", "/v1/nodes", "")
	if status != 200 || !slices.Equal(namesIn(got["nodes"]), []string{"one current", "two current"}) {
		t.Fatalf("%d %v", status, got)
	}
	list, _ := got["nodes"].([]any)
	two, _ := list[1].(map[string]any)
	for _, field := range []string{"fleet", "epoch", "cursor", "last", "position", "behind", "leaseAgeMs", "entries", "bytes", "resets", "gapsHealed", "version", "seenMs"} {
		if _, ok := two[field]; !ok {
			t.Errorf("no %s in %v", field, two)
		}
	}
	if two["entries"] != 1.0 || two["seenMs"] != 0.0 {
		t.Errorf("of two: %v", two)
	}
	p.change(t)
	if status, got, _ = p.one.ask("GET", "/v1/nodes", ""); status != 200 || !slices.Equal(namesIn(got["nodes"]), []string{"one current", "two silent"}) {
		t.Errorf("with one frozen: %d %v", status, got)
	}
}

func TestExplainTellsOfEveryNodeAndNamesWhoDoesNotAnswer(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	p.two.read("a.txt", "miss")
	for _, s := range []*site{p.one, p.two} {
		status, got, _ := s.ask("GET", "/v1/functions/file.read/explain?arg=a.txt", "")
		nodes, _ := got["nodes"].([]any)
		if status != 200 || !slices.Equal(namesIn(got["nodes"]), []string{"one", "two"}) {
			t.Fatalf("%d %v", status, got)
		}
		one, _ := nodes[0].(map[string]any)
		two, _ := nodes[1].(map[string]any)
		if one["cached"] != false || two["cached"] != true {
			t.Errorf("cached: one %v, two %v", one["cached"], two["cached"])
		}
		if silent, ok := got["silent"].([]any); !ok || len(silent) != 0 {
			t.Errorf("silent: %v", got["silent"])
		}
	}
	// A function that is not memoized here may be elsewhere.
	if status, got, _ := p.one.ask("GET", "/v1/functions/other.price/explain?args=[1]", ""); status != 200 || len(namesIn(got["nodes"])) != 2 {
		t.Errorf("%d %v", status, got)
	}
	p.change(t)
	status, got, _ := p.one.ask("GET", "/v1/functions/file.read/explain?arg=a.txt", "")
	silent, _ := got["silent"].([]any)
	if status != 200 || !slices.Equal(namesIn(got["nodes"]), []string{"one"}) || !slices.Equal(silent, []any{"two"}) {
		t.Errorf("with two frozen: %d %v", status, got)
	}
	// Nobody can be asked: a node still tells of itself.
	p.one.conn.Close()
	status, got, _ = p.one.ask("GET", "/v1/functions/file.read/explain?arg=a.txt", "")
	if problems, _ := got["problems"].([]any); status != 200 || !slices.Equal(namesIn(got["nodes"]), []string{"one"}) || len(problems) == 0 {
		t.Errorf("without a connection: %d %v", status, got)
	}
}

var readsOfANode = []string{
	"/v1/functions/file.read?arg=a.txt", "/v1/functions/file.read/explain?arg=a.txt", "/v1/functions", "/v1/status", "/v1/nodes",
}

func TestEveryReadWaitsForTheTokenItBrings(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	for _, path := range readsOfANode {
		token := p.change(t)
		type said struct {
			status int
			cursor uint64
		}
		answered := make(chan said, 1)
		go func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.two.URL+path, http.NoBody)
			if err != nil {
				answered <- said{}
				return
			}
			req.Header.Set("Lethe-Token", token.String())
			res, err := p.two.Client().Do(req)
			if err != nil {
				answered <- said{}
				return
			}
			_ = res.Body.Close()
			answered <- said{res.StatusCode, p.two.api.node.Status().Cursor}
		}()
		select {
		case got := <-answered:
			t.Errorf("%s answered %d at %d, before the node could have heard of %d", path, got.status, got.cursor, token.Sequence())
			p.link.Thaw()
		case <-time.After(100 * time.Millisecond): // it waits
			p.link.Thaw()
			if got := <-answered; got.status != 200 || got.cursor < token.Sequence() {
				t.Errorf("%s answered %d at %d, want it to be at %d", path, got.status, got.cursor, token.Sequence())
			}
		}
		if status, got, _ := p.two.ask("GET", "/v1/wait?timeout=60s&token="+token.String(), ""); status != 200 {
			t.Fatalf("%d %v", status, got)
		}
	}
}

func TestATokenNotReachedInItsSecondIsBypassed(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	p.two.read("a.txt", "miss")
	p.two.read("a.txt", "hit")
	token := p.change(t)
	// Some need longer by themselves, since the others can't be heard.
	alone := map[string]time.Duration{"/v1/nodes": time.Second, "/v1/functions/file.read/explain?arg=a.txt": explainWait}
	for _, path := range readsOfANode {
		begun := time.Now()
		status, got, _ := p.two.ask("GET", path, "", "Lethe-Token", token.String())
		took := time.Since(begun)
		if status != 200 || took < alone[path]+900*time.Millisecond || took > cmdtest.Patience {
			t.Errorf("%s: %d %v after %v", path, status, got, took)
		}
		if path == readsOfANode[0] && got["cache"] != "bypass" {
			t.Errorf("%s: %v, want the source to be asked", path, got)
		}
		if cursor, ok := got["cursor"].(float64); path == "/v1/status" && (!ok || uint64(cursor) >= token.Sequence()) {
			t.Errorf("it can't be at %d already: %v", token.Sequence(), got)
		}
	}
}
