package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestRequestsToAFrozenDatabaseEnd(t *testing.T) {
	t.Parallel()
	proxy, dsn := cmdtest.Through(t, pgtest.DSN(t))
	var log cmdtest.Log
	o := newOfficeOn(t, dsn, slog.New(slog.NewTextHandler(&log, nil)))
	o.must(ctl.Apply, kindOfBots+bot("a", "m1"), &ctl.Written{})
	known := ctl.Name{Kind: "bot", Namespace: "acme", Name: "a"}
	for cache := lethe.Miss; cache != lethe.Hit; { // until what the change makes stale has arrived
		got, err := o.Lookup(within(t), known)
		if err != nil {
			t.Fatal(err)
		}
		cache = got.Cache
	}
	o.most = 200 * time.Millisecond
	proxy.Freeze()
	t.Cleanup(proxy.Thaw)
	for _, tc := range []struct {
		what, body, said string
		header           []string
	}{
		{ctl.Apply, bot("a", "m2"), "not known", nil},
		{ctl.Apply, bot("a", "m2"), "nothing was changed", []string{ctl.DryRunHeader, "true"}},
		{ctl.Delete, `{"kind": "bot", "namespace": "acme", "name": "a"}`, "not known", nil},
		{ctl.SetStatus, `{"kind": "bot", "namespace": "acme", "name": "a", "status": {"phase": "ready"}}`, "not known", nil},
		{ctl.Invalidate, `{"kind": "bot", "namespace": "acme", "name": "a"}`, "not known", nil},
		{ctl.Diff, bot("a", "m2"), "nothing was changed", nil},
		{ctl.Get, `{"kind": "bot", "namespace": "acme", "name": "a"}`, "nothing was changed", nil},
		{ctl.List, `{"kind": "bot"}`, "nothing was changed", nil},
		{ctl.Kinds, "", "nothing was changed", nil},
		{ctl.Kinds, `{"kind": "bot"}`, "nothing was changed", nil},
	} {
		no := o.ask(tc.what, tc.body, nil, tc.header...)
		if no == nil || no.Code != http.StatusGatewayTimeout || no.Field != "database" || !strings.Contains(no.Text, tc.said) || no.Retry {
			t.Errorf("%s %v: %+v, want 504 with %q", tc.what, tc.header, no, tc.said)
		}
	}
	for what, read := range map[string]func(context.Context) error{
		"an object": func(ctx context.Context) error {
			_, err := o.Lookup(ctx, ctl.Name{Kind: "bot", Namespace: "acme", Name: "new"})
			return err
		},
		"a list":    func(ctx context.Context) error { _, err := o.LookupList(ctx, "bot", "acme"); return err },
		"a kind":    func(ctx context.Context) error { _, err := o.Named(ctx, "other"); return err },
		"a key":     func(ctx context.Context) error { _, err := o.Key(ctx, ctl.Name{Kind: "third", Name: "a"}); return err },
		"list keys": func(ctx context.Context) error { _, err := o.ListKey(ctx, "fourth", "acme"); return err },
	} {
		var no *ctl.Refusal
		if err := read(within(t)); !errors.As(err, &no) || no.Code != http.StatusGatewayTimeout {
			t.Errorf("%s that is not in memory: %v, want 504", what, err)
		}
	}
	if got, err := o.Lookup(within(t), known); err != nil || got.Cache != lethe.Hit {
		t.Errorf("what is in memory: %s, %v", got.Cache, err)
	}
	if n := strings.Count(log.String(), "the database did not answer in time"); n != 15 {
		t.Errorf("%d of 15 requests are logged:\n%s", n, log.String())
	}

	proxy.Thaw()
	o.most = DatabaseFor
	var item json.RawMessage
	o.must(ctl.Get, `{"kind": "bot", "namespace": "acme", "name": "a"}`, &item)
	if !strings.Contains(string(item), `"m1"`) {
		t.Errorf("a change that ended before its commit: %s", item)
	}
}

func TestACallerThatLeavesIsNotTheDatabasesFault(t *testing.T) {
	t.Parallel()
	var log cmdtest.Log
	o := newOfficeOn(t, "sqlite::memory:", slog.New(slog.NewTextHandler(&log, nil)))
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := o.Apply(gone, []byte(kindOfBots), false); err == nil {
		t.Error("it was applied")
	}
	if log.String() != "" {
		t.Error(log.String())
	}
}

// A check that takes too long is named, and not taken for the database.
func TestAManifestThatIsNotCheckedInTimeIsNamed(t *testing.T) {
	t.Parallel()
	var log cmdtest.Log
	o := newOfficeOn(t, "sqlite::memory:", slog.New(slog.NewTextHandler(&log, nil)))
	o.most = time.Millisecond
	_, err := bounded(t.Context(), o.Desk, operation{"apply", true}, func(ctx context.Context) (int, error) {
		<-ctx.Done()
		return 0, refused(&manifest.Error{
			Kind: "Chatbot", Name: "helper", Namespace: "acme", Field: "spec", Reason: "asks for too much work",
			Err: fmt.Errorf("%w: %w", manifest.ErrUnchecked, ctx.Err()),
		})
	})
	no := refusalOf(err)
	if no.Code != http.StatusGatewayTimeout || no.Field != "spec" || !strings.Contains(no.Text, "Chatbot acme/helper: spec: asks") || strings.Contains(no.Text+log.String(), "database") {
		t.Errorf("%+v, log %s", no, log.String())
	}
}
