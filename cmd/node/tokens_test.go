package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/pkg/event"
)

const otherToken = "fedcba9876543210fedcba9876543210"

// callers is a guard over a token file that answers with who calls.
func callers(t *testing.T, text string) (g *guard, file string, call func(token string, header ...string) (int, string)) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "token")
	put(t, file, text)
	g, err := newGuard(file, true)
	if err != nil {
		t.Fatal(err)
	}
	h := g.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(event.Acted(r.Context(), event.Event{}).Actor().String()))
	}))
	return g, file, func(token string, header ...string) (int, string) {
		r := httptest.NewRequest(http.MethodPost, "/v1/invalidate", http.NoBody)
		r.Host = "localhost"
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
}

func TestATokensNameIsWhoCalls(t *testing.T) {
	t.Parallel()
	const claim = "Lethe-Actor"
	for _, tc := range []struct {
		name, file, token string
		header            []string
		code              int
		want              string
	}{
		{"one line has no name", goodToken, goodToken, nil, 200, ""},
		{"one line, and a claim", goodToken, goodToken, []string{claim, "ada@host"}, 200, "ada@host (claimed)"},
		{"one line with a name", "ci:" + goodToken, goodToken, nil, 200, "ci (authenticated)"},
		{"one line with a colon, as it always was", "ci:" + goodToken, "ci:" + goodToken, nil, 200, "ci (authenticated)"},
		{"a colon in front of little is part of the token", "abcdefghijk:lmno", "abcdefghijk:lmno", nil, 200, ""},
		{"the first of two", "ci:" + goodToken + "\nweb:" + otherToken + "\n", goodToken, nil, 200, "ci (authenticated)"},
		{"the second of two", "# who may call\n\nci:" + goodToken + "\r\n  web:" + otherToken, otherToken, nil, 200, "web (authenticated)"},
		{"two tokens of one name", "ci:" + goodToken + "\nci:" + otherToken, otherToken, nil, 200, "ci (authenticated)"},
		{"of several, a whole line is none", "ci:" + goodToken + "\nweb:" + otherToken, "ci:" + goodToken, nil, 401, ""},
		{"a name is no token", "ci:" + goodToken + "\nweb:" + otherToken, "ci", nil, 401, ""},
		{"no token, whoever is claimed", "ci:" + goodToken, "", []string{claim, "ci"}, 401, ""},
		{"a claim beside a name", "ci:" + goodToken, goodToken, []string{claim, "ada@host"}, 200, "ci (authenticated) for ada@host (claimed)"},
		{"a claim of another token's name", "ci:" + goodToken + "\nweb:" + otherToken, goodToken, []string{claim, "web"}, 200, "ci (authenticated) for web (claimed)"},
		{"a claim that looks like more", goodToken, goodToken, []string{claim, "ci (authenticated)"}, 422, claim},
		{"an empty claim", goodToken, goodToken, []string{claim, ""}, 400, claim},
		{"a claim that is too long", goodToken, goodToken, []string{claim, strings.Repeat("x", 257)}, 422, claim},
		{"two claims", goodToken, goodToken, []string{claim, "ada", claim, "eve"}, 400, claim},
	} {
		_, _, call := callers(t, tc.file)
		code, got := call(tc.token, tc.header...)
		if code != tc.code || code == 200 && got != tc.want || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %d %s, want %d %s", tc.name, code, got, tc.code, tc.want)
		}
	}
}

func TestATokenFileSaysItsBadLineAndNoToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	for text, line := range map[string]string{
		"ci:" + goodToken + "\nweb:short":                            "line 2",
		"ci:" + goodToken + "\n\n" + otherToken:                      "line 3",
		"ci:" + goodToken + "\nweb:" + goodToken:                     "line 2",
		"c i:" + goodToken + "\nweb:" + otherToken:                   "line 1",
		strings.Repeat("n", 64) + ":" + goodToken + "\n#":            "line 1",
		"ci:" + goodToken + " " + otherToken + "\nweb:" + otherToken: "line 1",
		"# nothing\n\n":              "want one line",
		strings.Repeat("#\n", 1<<20): "bytes",
	} {
		put(t, file, text)
		_, err := newGuard(file, true)
		if cli.Code(err) != cli.CodeUsage || !strings.Contains(err.Error(), line) || !strings.Contains(err.Error(), "--http-token-file") {
			t.Errorf("%.60q: %v, want %s", text, err, line)
		}
		if err != nil && (strings.Contains(err.Error(), goodToken) || strings.Contains(err.Error(), otherToken)) {
			t.Errorf("%.60q: the error has a token: %v", text, err)
		}
	}
	many := &strings.Builder{}
	for i := range maxTokens + 1 {
		_, _ = many.WriteString("ci:" + goodToken + strings.Repeat("x", i+1) + "\n")
	}
	put(t, file, many.String())
	if _, err := newGuard(file, true); err == nil || !strings.Contains(err.Error(), "line 1025") {
		t.Errorf("%v", err)
	}
}

// lines of a log, for one goroutine that writes and one that reads.
type lines struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// It sends this process a signal, so it runs alone.
func TestHangupReadsTheTokensAgainAndKeepsThemWhenTheFileIsBad(t *testing.T) { //nolint:paralleltest // see above
	g, file, call := callers(t, "ci:"+goodToken)
	log := &lines{}
	stop := g.reloads(t.Context(), slog.New(slog.NewTextHandler(log, nil)))
	defer func() { _ = stop() }()
	hangup := func(text, want string) {
		t.Helper()
		put(t, file, text)
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(cmdtest.Patience); !log.has(want); <-time.After(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("no log line has %q", want)
			}
		}
	}
	hangup("web:short\nx", "not reloaded")
	if code, who := call(goodToken); code != 200 || who != "ci (authenticated)" {
		t.Errorf("after a bad file: %d %s", code, who)
	}
	if log.has(goodToken) || log.has("short") {
		t.Error("the log has a token")
	}
	hangup("ci:"+otherToken+"\nweb:"+goodToken, `names="[ci web]"`)
	if code, who := call(goodToken); code != 200 || who != "web (authenticated)" {
		t.Errorf("a token that has another name now: %d %s", code, who)
	}
	if code, who := call(otherToken); code != 200 || who != "ci (authenticated)" {
		t.Errorf("a new token: %d %s", code, who)
	}
	hangup("web:"+goodToken, "names=[web]")
	if code, _ := call(otherToken); code != 401 {
		t.Errorf("a token that is gone: %d", code)
	}
}
