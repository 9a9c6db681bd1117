package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
)

const goodToken = "0123456789abcdef0123456789abcdef"

func guarded(t *testing.T, token string, loopback bool) http.Handler {
	t.Helper()
	file := ""
	if token != "" {
		file = filepath.Join(t.TempDir(), "token")
		put(t, file, token+"\n")
	}
	g, err := newGuard(file, loopback)
	if err != nil {
		t.Fatal(err)
	}
	return g.wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
}

func TestWhoMayCall(t *testing.T) {
	t.Parallel()
	const passed = http.StatusTeapot
	bearer := map[string]string{"Authorization": "Bearer " + goodToken}
	for _, tc := range []struct {
		name, token          string
		loopback             bool
		method, host, target string
		header               map[string]string
		want                 int
	}{
		{"a program on this machine reads", "", true, "GET", "127.0.0.1:8080", "/v1/status", nil, passed},
		{"a program on this machine changes", "", true, "POST", "localhost:8080", "/v1/invalidate", nil, passed},
		{"by IPv6", "", true, "GET", "[::1]:8080", "/v1/status", nil, passed},
		{"a name another site made point here", "", true, "GET", "evil.example:8080", "/v1/status", nil, 403},
		{"a name that only looks local", "", true, "GET", "localhost.evil.example", "/v1/status", nil, 403},
		{"another site's page changes", "", true, "POST", "localhost:8080", "/v1/invalidate", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"another site's page of an old browser", "", true, "POST", "localhost:8080", "/v1/invalidate", map[string]string{"Origin": "http://evil.example"}, 403},
		{"another port of this machine is another site", "", true, "POST", "localhost:8080", "/v1/invalidate", map[string]string{"Origin": "http://localhost:9999"}, 403},
		{"the node's own page changes", "", true, "POST", "localhost:8080", "/v1/invalidate", map[string]string{"Sec-Fetch-Site": "same-origin"}, passed},
		{"no token", goodToken, false, "GET", "node.example", "/v1/status", nil, 401},
		{"a wrong token", goodToken, false, "GET", "node.example", "/v1/status", map[string]string{"Authorization": "Bearer " + goodToken + "x"}, 401},
		{"an empty token", goodToken, false, "GET", "node.example", "/v1/status", map[string]string{"Authorization": "Bearer "}, 401},
		{"the token", goodToken, false, "GET", "node.example", "/v1/status", bearer, passed},
		{"the token, on loopback", goodToken, true, "GET", "localhost", "/v1/status", nil, 401},
		{"the page asks too", goodToken, false, "GET", "node.example", "/", nil, 401},
		{"a changed spelling of an open path asks too", goodToken, false, "GET", "node.example", "/livez/../v1/status", nil, 401},
		{"liveness asks for none", goodToken, false, "GET", "node.example", "/livez", nil, passed},
		{"readiness asks for none", goodToken, false, "GET", "node.example", "/readyz?lease=1", nil, passed},
		{"metrics ask for none", goodToken, false, "GET", "node.example", "/metrics", nil, passed},
		{
			"a browser sent by another site with the password it remembers", goodToken, false, "POST", "node.example", "/v1/invalidate",
			map[string]string{"Authorization": "Basic OjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm", "Sec-Fetch-Site": "cross-site"},
			403,
		},
		{
			"a browser with the token as password", goodToken, false, "GET", "node.example", "/",
			map[string]string{"Authorization": "Basic OjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm"},
			passed,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tc.method, tc.target, http.NoBody)
			r.Host = tc.host
			for name, value := range tc.header {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			guarded(t, tc.token, tc.loopback).ServeHTTP(w, r)
			if w.Code != tc.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tc.want)
			}
			if w.Code == 401 && len(w.Header().Values("WWW-Authenticate")) == 0 {
				t.Error("401 without WWW-Authenticate")
			}
			if w.Code != passed && !strings.Contains(w.Body.String(), `"error":`) {
				t.Errorf("not a JSON error: %s", w.Body)
			}
		})
	}
}

func TestATokenFileThatGuardsNothingIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "\n", "short": "secret\n", "two lines": goodToken + "\n" + goodToken} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := newGuard(file, true); cli.Code(err) != cli.CodeUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := newGuard(filepath.Join(dir, "gone"), true); cli.Code(err) != cli.CodeUsage {
		t.Errorf("a file that is not there: %v", err)
	}
}
