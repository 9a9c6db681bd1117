package access

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// crew is one user of each sort.
type crew struct {
	node, other, team, tags, all, admin, watcher User
}

func newCrew(t *testing.T) (c crew, users []User) {
	t.Helper()
	c = crew{
		node:    of(t, Options{Role: Node}),
		other:   of(t, Options{Role: Node, Name: "web-2", External: true, Functions: []string{"catalog.>"}}),
		team:    of(t, Options{Role: Publisher, Name: "catalog", Functions: []string{"catalog.>"}}),
		tags:    of(t, Options{Role: Publisher, Name: "users", Tags: []string{"user"}}),
		all:     of(t, Options{Role: Publisher}),
		admin:   of(t, Options{Role: Admin}),
		watcher: of(t, Options{Role: Watcher}),
	}
	return c, []User{c.node, c.other, c.team, c.tags, c.all, c.admin, c.watcher}
}

func TestEachRoleDoesItsWorkWithWhatIsPrinted(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	url := serve(t, users...)
	first, second := login(t, url, c.node), login(t, url, c.other)
	one := join(t, first, lethe.Config{Name: c.node.Name}).ready()
	two := join(t, second, lethe.Config{Name: c.other.Name, ExternalStream: true}).ready()
	conns := []*conn{first, second}
	for _, tc := range []struct {
		user   User
		target event.Target
		price  bool // what it makes forget; total otherwise
		both   bool
	}{
		{c.team, price.Key("42"), true, false},
		{c.team, price.All(), true, false},
		{c.tags, event.Tag("user:42"), true, true},
		{c.tags, event.TagPrefix("user:"), true, true},
		{c.all, total.Key("42"), false, false},
		{c.all, event.All(), true, true},
		{c.admin, event.All(), true, true},
	} {
		nc := login(t, url, tc.user)
		conns = append(conns, nc)
		p := join(t, nc, lethe.Config{PublishOnly: true, ExternalStream: true}).ready()
		for _, n := range []*peer{one, two} {
			n.fill()
			n.keeps("remembered", n.price)
			n.keeps("remembered", n.total)
		}
		token := p.say(tc.target)
		report, err := p.Barrier(within(t, patience), token)
		if err != nil || len(report.Applied) != 2 {
			t.Errorf("%s asks whether all have applied it: %+v, %v", tc.user.Name, report, err)
		}
		for _, n := range []*peer{one, two} {
			for _, f := range []struct {
				name string
				it   *lethe.Func[string, string]
				gone bool
			}{{"price", n.price, tc.price}, {"total", n.total, tc.both || !tc.price}} {
				if f.gone {
					n.lost(tc.user.Name+" says "+tc.target.String()+": "+f.name, token, f.it)
				} else {
					n.keeps(tc.user.Name+" says "+tc.target.String()+": "+f.name, f.it)
				}
			}
		}
	}
	for _, nc := range conns {
		if no := nc.refused(t); len(no) > 0 {
			t.Errorf("refused: %q", no)
		}
	}
}

func TestWhatMayNotBeSaidIsRefusedByNameAndNothingIsForgotten(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	url := serve(t, users...)
	one := join(t, login(t, url, c.node), lethe.Config{Name: c.node.Name}).ready()
	one.fill()
	for _, tc := range []struct {
		user   User
		target event.Target
		at     string
	}{
		{c.team, total.Key("42"), "lethe.v1.log.shop.fn.billing.total"},
		{c.team, event.Tag("user:42"), "lethe.v1.log.shop.tag.user"},
		{c.team, event.All(), "lethe.v1.log.shop.all"},
		{c.tags, event.Tag("order:1"), "lethe.v1.log.shop.tag.order"},
		{c.tags, price.Key("42"), "lethe.v1.log.shop.fn.catalog.price"},
		{c.watcher, price.Key("42"), "lethe.v1.log.shop.fn.catalog.price"},
	} {
		p := join(t, login(t, url, tc.user), lethe.Config{PublishOnly: true, ExternalStream: true}).ready()
		_, err := p.Invalidate(within(t, patience), tc.target)
		if !errors.Is(err, lethe.ErrNotPublished) || !strings.Contains(err.Error(), tc.at) {
			t.Errorf("%s says %v: %v, want %s refused", tc.user.Name, tc.target, err, tc.at)
		}
	}
	one.keeps("nobody who may has said so", one.price)
	one.keeps("nobody who may has said so", one.total)
}

func TestNobodyMayPlayTheServerAnotherNodeOrReadOthersAnswers(t *testing.T) {
	t.Parallel()
	_, users := newCrew(t)
	url := serve(t, users...)
	for _, u := range users {
		nc := login(t, url, u)
		subjects := []string{
			"lethe.v1.live.shop.all", "lethe.v1.live.shop.fn.catalog.price", "lethe.v1.ctl.shop.presence.web-9", "lethe.v1.log.other.all",
			"lethe.v1.log.shop._sys.other", "$JS.API.STREAM.PURGE.LETHE_SHOP", "$JS.API.STREAM.DELETE.LETHE_SHOP",
			"$JS.API.STREAM.MSG.DELETE.LETHE_SHOP", "$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.INFO.OTHER",
			"$JS.API.CONSUMER.CREATE.LETHE_SHOP", "$JS.API.CONSUMER.CREATE.LETHE_SHOP.x.y", "$JS.API.STREAM.SNAPSHOT.LETHE_SHOP", "_INBOX.x", "_INBOX_web-1.x", "$SYS.REQ.SERVER.PING",
		}
		if u.Role != Node {
			subjects = append(subjects, "lethe.v1.log.shop._sys.tick", "lethe.v1.log.shop._sys.lost", "lethe.v1.ctl.shop.presence.web-1")
		}
		if u.Role != Admin && u.Name != "web-1" {
			subjects = append(subjects, "$JS.API.STREAM.CREATE.LETHE_SHOP", "$JS.API.STREAM.UPDATE.LETHE_SHOP")
		}
		if u.Role != Admin {
			subjects = append(subjects, "$JS.API.CONSUMER.DELETE.LETHE_SHOP.x")
		}
		if u.Role == Watcher {
			subjects = append(subjects, "lethe.v1.log.shop.fn.catalog.price", "lethe.v1.ctl.shop.barrier")
		}
		for _, subject := range subjects {
			nc.mayNot(t, subject)
		}
		hear := []string{">", "_INBOX.>", "_INBOX_elsewhere.>", "lethe.v1.log.shop.>", "$JS.API.>", "lethe.v1.ctl.shop.>"}
		if u.Role == Publisher {
			hear = append(hear, "lethe.v1.live.shop.>", "lethe.v1.ctl.shop.presence.*", "lethe.v1.ctl.shop.barrier")
		}
		for _, subject := range hear {
			nc.mayNotHear(t, subject)
		}
	}
}

func TestReadyNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{
		"lethe.v1.log.shop._sys.tick", "lethe.v1.live.shop.>", "$JS.API.STREAM.INFO.LETHE_SHOP", "$JS.API.STREAM.CREATE.LETHE_SHOP",
		"lethe.v1.ctl.shop.presence.web-1",
	} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			u := of(t, Options{Role: Node})
			u.Publish, u.Subscribe = without(u.Publish, missing), without(u.Subscribe, missing)
			n := join(t, login(t, serve(t, u), u), lethe.Config{Name: u.Name})
			until(t, "Ready names "+missing, func() bool {
				err := n.Ready(within(t, time.Second))
				return errors.Is(err, lethe.ErrNotReady) && strings.Contains(err.Error(), missing)
			})
			// Without the live feed, what the node fetches proves that it is current, and its lease with it.
			n.read(n.price)
			if !strings.Contains(missing, ">") && n.read(n.price) != lethe.Bypassed {
				t.Error("stored without a lease")
			}
		})
	}
}

func without(grants []Grant, subject string) (rest []Grant) {
	for _, g := range grants {
		if g.Subject != subject {
			rest = append(rest, g)
		}
	}
	return rest
}
