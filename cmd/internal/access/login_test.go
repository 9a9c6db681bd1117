package access_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/access"
	"github.com/lethe-cache/lethe/cmd/internal/access/accesstest"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

const patience = 2 * time.Minute

func open(t *testing.T, cfg lethe.Config) *lethe.Node {
	t.Helper()
	cfg.Fleet = "shop"
	n, err := lethe.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func TestANodeLogsInByEveryWayNATSKnows(t *testing.T) {
	t.Parallel()
	for _, way := range accesstest.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			t.Parallel()
			n := open(t, lethe.Config{URL: way.URL, NATSOptions: way.Options, Name: "web-1"})
			ready(t, n)
			token, err := n.Invalidate(t.Context(), event.All())
			if err != nil {
				t.Fatal(err)
			}
			if err := n.Wait(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func ready(t *testing.T, n *lethe.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestWhoIsNotKnownIsToldSo(t *testing.T) {
	t.Parallel()
	u := accesstest.Node(t)
	url := accesstest.Serve(t, "WEB_1_PASSWORD: \"right\"\n"+access.Conf(u))
	for _, opts := range [][]nats.Option{nil, {nats.UserInfo("web-1", "wrong")}, {nats.UserInfo("nobody", "right")}} {
		n := open(t, lethe.Config{URL: url, NATSOptions: opts})
		var err error
		for end := time.Now().Add(patience); time.Now().Before(end); {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err = n.Ready(ctx)
			cancel()
			if !errors.Is(err, lethe.ErrNotReady) || strings.Contains(strings.ToLower(err.Error()), "authorization") {
				break
			}
		}
		if !errors.Is(err, lethe.ErrNotReady) || !strings.Contains(strings.ToLower(err.Error()), "authorization") {
			t.Errorf("%v, want it to speak of authorization", err)
		}
	}
}

// What nsc makes of the same: an account for the stream, and one for a publisher that imports what it needs.
func TestAccountsMadeByJWTKeepAPublisherToItsPart(t *testing.T) {
	t.Parallel()
	users := map[string]access.Options{
		"web-1": {Role: access.Node}, "catalog": {Role: access.Publisher, Name: "catalog", Functions: []string{"catalog.>"}},
	}
	o := accesstest.NewOperator(t)
	home, guest := o.Account("LETHE_SHOP"), o.Account("LETHE_SHOP_CATALOG")
	home.Claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	creds := map[string][]byte{}
	prefix := map[string]string{}
	for name, options := range users {
		options.Fleet = "shop"
		u, err := access.Of(options)
		if err != nil {
			t.Fatal(err)
		}
		prefix[name] = u.InboxPrefix
		if u.Role == access.Node {
			creds[name] = home.User(u)
			continue
		}
		home.Share(guest, "$JS.API.INFO", jwt.Service, false)
		for _, g := range u.Publish {
			home.Share(guest, g.Subject, jwt.Service, strings.HasSuffix(g.Subject, ".barrier"))
		}
		creds[name] = guest.User(u)
	}
	url := o.Serve()
	login := func(name string) []nats.Option {
		return []nats.Option{nats.UserCredentialBytes(creds[name]), nats.CustomInboxPrefix(prefix[name])}
	}
	n := open(t, lethe.Config{URL: url, NATSOptions: login("web-1"), Name: "web-1"})
	ready(t, n)
	p := open(t, lethe.Config{URL: url, NATSOptions: login("catalog"), PublishOnly: true, ExternalStream: true})
	ready(t, p)
	token, err := p.Invalidate(t.Context(), event.Function("catalog.price"))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Wait(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Invalidate(t.Context(), event.All()); err == nil || !strings.Contains(err.Error(), "lethe.v1.log.shop.all") {
		t.Errorf("%v, want the subject that is refused", err)
	}
}
