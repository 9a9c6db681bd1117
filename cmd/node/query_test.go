package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

func TestQueryStringThatDoesNotParseIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	s := startStores(t, "one")[0]
	s.must(200, "POST", "/v1/manifests", kindOfBots+bot("a", "m1"))
	for _, request := range []string{
		"POST /v1/manifests", "GET /v1/manifests/bot", "GET /v1/manifests/bot/acme", "GET /v1/manifests/bot/acme/a",
		"DELETE /v1/manifests/bot/acme/a", "POST /v1/manifests/bot/acme/a/invalidate", "GET /v1/tickets/abc", "GET /v1/kinds",
		"GET /v1/kinds/bot", "GET /v1/kinds/bot/example", "GET /v1/kinds/bot/schema", "GET /v1/functions",
		"GET /v1/functions/manifest.kind", "GET /v1/functions/manifest.kind/explain", "POST /v1/invalidate", "GET /v1/wait",
		"GET /v1/barrier", "GET /v1/status", "GET /v1/nodes", "GET /v1/events", "GET /metrics", "GET /livez", "GET /readyz",
		"GET /schemas/x", "GET /", "GET /page/page.mjs", "GET /nowhere",
	} {
		method, path, _ := strings.Cut(request, " ")
		for _, query := range []string{"dryRun=true;x", "dryRun=true%", "labelSelector=a%3Db;x", "arg=%zz", ";", "%"} {
			if status, got, _ := s.ask(method, path+"?"+query, bot("b", "m1")); status != 400 || got["field"] != "query" {
				t.Errorf("%s?%s: %d %v", request, query, status, got)
			}
		}
	}
	s.must(404, "GET", "/v1/manifests/bot/acme/b", "")
	s.must(200, "GET", "/v1/manifests/bot/acme/a", "")
}

func TestUnknownRepeatedOrEmptyParameterIsRefused(t *testing.T) {
	t.Parallel()
	s := startStores(t, "one")[0]
	s.must(200, "POST", "/v1/manifests", kindOfBots)
	for _, tc := range []struct{ method, path, field string }{
		{"POST", "/v1/manifests?dryRun=", "dryRun"},
		{"POST", "/v1/manifests?dryRun", "dryRun"},
		{"POST", "/v1/manifests?dryRun=true&dryRun=false", "dryRun"},
		{"POST", "/v1/manifests?dryRun=true&DryRun=true", "DryRun"},
		{"POST", "/v1/manifests?=", ""},
		{"GET", "/v1/manifests/bot?labelSelector=", "labelSelector"},
		{"GET", "/v1/manifests/bot?limit=", "limit"},
		{"GET", "/v1/manifests/bot?continue=", "continue"},
		{"GET", "/v1/kinds/bot?format=yaml", "format"},
		{"GET", "/v1/kinds/bot/example?format=", "format"},
		{"GET", "/v1/wait?token=x&timeout=", "timeout"},
		{"GET", "/v1/wait?token=x&tiemout=5s", "tiemout"},
		{"GET", "/v1/barrier?token=x&token=y", "token"},
		{"GET", "/v1/tickets/abc?timeout=1s&timeout=2s", "timeout"},
		{"GET", "/v1/status?verbose=1", "verbose"},
		{"GET", "/v1/nodes?fleet=shop", "fleet"},
		{"GET", "/v1/events?since=1h", "since"},
		{"GET", "/v1/functions?x", "x"},
		{"POST", "/v1/invalidate?dryRun=true", "dryRun"},
		{"GET", "/readyz?lease=", "lease"},
		{"GET", "/readyz?lease=perhaps", "lease"},
		{"GET", "/readyz?leese=1", "leese"},
	} {
		status, got, _ := s.ask(tc.method, tc.path, bot("b", "m1"))
		field, _ := got["field"].(string)
		if text, _ := got["error"].(string); status != 400 || field != tc.field || text == "" {
			t.Errorf("%s %s: %d %v", tc.method, tc.path, status, got)
		}
	}
	if status, got, _ := s.ask("POST", "/v1/manifests", bot("b", "m1"), ctl.DryRunHeader, "true"); status != 400 || got["field"] != ctl.DryRunHeader {
		t.Errorf("a dry run asked for by the header of another transport: %d %v", status, got)
	}
	s.must(404, "GET", "/v1/manifests/bot/acme/b", "")
	s.must(200, "POST", "/v1/manifests", bot("kept", "m1"))
	for _, change := range [][2]string{
		{"DELETE", "/v1/manifests/bot/acme/kept"}, {"POST", "/v1/manifests/bot/acme/kept/invalidate"}, {"PUT", "/v1/manifests/bot/acme/kept/status"},
	} {
		if status, got, _ := s.ask(change[0], change[1], "status: {}", ctl.DryRunHeader, "true"); status != 400 || got["field"] != ctl.DryRunHeader {
			t.Errorf("%s %s as a dry run: %d %v", change[0], change[1], status, got)
		}
	}
	for _, header := range []string{"Lethe-Dryrun", "Lethe-Resaon"} {
		if status, got, _ := s.ask("DELETE", "/v1/manifests/bot/acme/kept", "", header, "true"); status != 400 || got["field"] != header {
			t.Errorf("with %s: %d %v", header, status, got)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.URL+"/v1/manifests/bot/acme/kept", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header[ctl.ReasonHeader] = []string{"one", "two"}
	w, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _ = w.Body.Close(); w.StatusCode != http.StatusBadRequest {
		t.Errorf("two reasons: %d", w.StatusCode)
	}
	s.must(200, "GET", "/v1/manifests/bot/acme/kept", "")
	s.must(404, "GET", "/v1/manifests/bot/acme/b", "")
	s.must(200, "GET", "/readyz?lease=true", "")
	s.must(200, "GET", "/livez?verbose", "") // orchestrators may add what they like to what takes nothing
	if status, _, _ := s.ask("POST", "/v1/manifests?dryRun=1", bot("b", "m1")); status != 200 {
		t.Error("a dry run")
	}
	s.must(404, "GET", "/v1/manifests/bot/acme/b", "")
}

// FuzzQueryString: whatever the query string is, a handler runs only when each of its parameters is known, single and not empty,
// and reads the same from it as any other parser does.
func FuzzQueryString(f *testing.F) {
	for _, q := range []string{
		"", "dryRun=true", "dryRun=true;x", "dryRun=true%", "dryRun=", "dryRun", "dryRun=true&dryRun=false", "dry%52un=1", "&&", "=",
		"dryRun=%74rue", "dryRun=true&x=1", "dryRun=+true", "%64ryRun=false&", "dryRun=true#x", "dryRun=true\x00",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		ran, dry := false, false
		h := wellFormed(taking(func(w http.ResponseWriter, r *http.Request) {
			var err error
			if dry, err = truth(r.URL.Query(), "dryRun"); err != nil {
				writeError(w, err)
				return
			}
			ran = true
		}, "dryRun"))
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/", RawQuery: query}})
		want, wantDry := meaning(query)
		if ran != want || dry != wantDry || !ran && answer.Code != http.StatusBadRequest {
			t.Errorf("%q: ran %t as a dry run %t, status %d; want %t, %t", query, ran, dry, answer.Code, want, wantDry)
		}
	})
}

// meaning reads the one parameter by hand: a query is taken when it has nothing in it, or "dryRun=" and a truth value once.
func meaning(query string) (taken, dryRun bool) {
	var values []string
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, badName := url.QueryUnescape(name)
		value, badValue := url.QueryUnescape(value)
		if strings.Contains(part, ";") || errors.Join(badName, badValue) != nil || name != "dryRun" {
			return false, false
		}
		values = append(values, value)
	}
	if len(values) == 0 {
		return true, false
	}
	yes, err := strconv.ParseBool(values[0])
	return len(values) == 1 && err == nil, len(values) == 1 && err == nil && yes
}
