package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// Whoever changes something stands in every event of it, and in what receivers make of it, on every way in.
func TestEveryEventSaysWhoMadeTheChangeAndHowThatIsKnown(t *testing.T) {
	t.Parallel()
	srv, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	s := joinStore(t, srv, "one", "sqlite::memory:")
	node := s.api.node
	all := make(chan event.Event, 1000)
	if err := node.Receive("all", func(_ context.Context, e event.Event) error {
		all <- e
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := node.Receive("consequence", func(ctx context.Context, e event.Event) error {
		if e.Reason == "the last" {
			return nil
		}
		_, err := node.Invalidate(ctx, event.Tag("consequence:1"))
		return err
	}, lethe.ForTags("user", "chatbot")); err != nil {
		t.Fatal(err)
	}
	_, _, call := callers(t, "ci:"+goodToken+"\nweb:"+otherToken)
	if code, who := call(goodToken); code != 200 || who != "ci (authenticated)" {
		t.Fatalf("%d %s", code, who)
	}
	g, _, _ := callers(t, "ci:"+goodToken+"\nweb:"+otherToken)
	h := s.api.handler(g)
	// heard are the events of a change, consequences too: their end is the one that says so.
	heard := func(what, reason, want string) {
		t.Helper()
		told, consequence := 0, false
		for end := time.After(cmdtest.Patience); !consequence; {
			select {
			case e := <-all:
				if e.Reason != reason { // of the change before
					continue
				}
				told++
				if got := e.Actor().String(); got != want {
					t.Errorf("%s: %s %v by %q, want %q", what, e.Type, e.Targets, got, want)
				}
				consequence = e.Targets[0].Name() == "consequence:1"
			case <-end:
				t.Fatalf("%s: %d events, and no consequence", what, told)
			}
		}
	}
	if got, _ := s.must(200, "POST", "/v1/manifests", kindOfBots, ctl.ActorHeader, "setup"); got["token"] == nil {
		t.Fatalf("%v", got)
	}
	model := 0
	for _, tc := range []struct{ token, claim, want string }{
		{goodToken, "", "ci (authenticated)"},
		{otherToken, "ada@host", "web (authenticated) for ada@host (claimed)"},
		{otherToken, "ci", "web (authenticated) for ci (claimed)"},
	} {
		for _, change := range []struct{ method, path, body string }{
			{"POST", "/v1/invalidate", `{"targets":[{"tag":"user:42"}],"reason":"REASON"}`},
			{"POST", "/v1/manifests", bot("helper", "MODEL")},
			{"POST", "/v1/manifests/bot/acme/helper/invalidate", ""},
			{"POST", "/v1/manifests/bot/invalidate", ""},
			{"DELETE", "/v1/manifests/bot/acme/helper", ""},
		} {
			model++
			reason := fmt.Sprint("change ", model)
			r := httptest.NewRequest(change.method, change.path, strings.NewReader(strings.NewReplacer("MODEL", strings.Repeat("m", model), "REASON", reason).Replace(change.body)))
			r.Host = "localhost"
			r.Header.Set("Authorization", "Bearer "+tc.token)
			r.Header.Set(ctl.ReasonHeader, reason)
			if tc.claim != "" {
				r.Header.Set(ctl.ActorHeader, tc.claim)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Fatalf("%s %s: %d %s", change.method, change.path, w.Code, w.Body)
			}
			heard(change.method+" "+change.path, reason, tc.want)
		}
	}
	// Over NATS nobody is known: the same words are a claim.
	for _, what := range []struct{ verb, body string }{
		{ctl.Apply, bot("helper", "nats")},
		{ctl.Invalidate, `{"kind":"bot","namespace":"acme","name":"helper"}`},
		{ctl.Delete, `{"kind":"bot","namespace":"acme","name":"helper"}`},
	} {
		var done ctl.Written
		header := nats.Header{ctl.ActorHeader: {"ci"}, ctl.ReasonHeader: {what.verb + " over NATS"}}
		if err := ctl.Request(t.Context(), s.conn, "shop", what.verb, []byte(what.body), header, &done); err != nil {
			t.Fatal(err)
		}
		heard(what.verb+" over NATS", what.verb+" over NATS", "ci (claimed)")
		header[ctl.ActorHeader] = []string{"ci (authenticated)"}
		if err := ctl.Request(t.Context(), s.conn, "shop", what.verb, []byte(what.body), header, &done); err == nil || !strings.Contains(err.Error(), ctl.ActorHeader) {
			t.Errorf("%s: %v", what.verb, err)
		}
	}
}
