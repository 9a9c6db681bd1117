package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/access"
	"github.com/lethe-cache/lethe/cmd/internal/access/accesstest"
	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/desk"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

const twoKinds = `
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: chatbot}
spec:
  apiVersion: example.dev/v1
  names: {kind: Chatbot, plural: chatbots, shortNames: [bot]}
  schema: {type: object, properties: {model: {type: string}}}
---
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: account}
spec:
  apiVersion: example.dev/v1
  names: {kind: Account, plural: accounts}
  schema: {type: object, properties: {plan: {type: string}}}
`

// before is a user as it was printed when there were no subjects of kinds.
func before(u access.User) access.User {
	var kept []access.Grant
	for _, g := range u.Publish {
		if !strings.HasSuffix(g.Subject, ".*") {
			kept = append(kept, g)
		}
	}
	u.Publish = kept
	return u
}

// town is a server with these users and a node with a database; each runs the program as one of the users.
func town(t *testing.T, users ...access.User) func(user string, args ...string) (code int, out, words string) {
	t.Helper()
	node, err := access.Of(access.Options{Role: access.Node, Fleet: "shop", Name: "keeper", Relay: true})
	if err != nil {
		t.Fatal(err)
	}
	var conf strings.Builder
	for _, u := range append(users, node) {
		fmt.Fprintf(&conf, "%s_PASSWORD: %q\n", strings.ToUpper(u.Name), "of "+u.Name)
	}
	url := accesstest.Serve(t, conf.String()+access.Conf(append(users, node)...))
	nc, err := nats.Connect(url, nats.UserInfo("keeper", "of keeper"), nats.CustomInboxPrefix("_INBOX_keeper"), nats.Timeout(cmdtest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	n, err := lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "shop", Name: "keeper"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	store, err := manifest.Open(t.Context(), "sqlite::memory:", n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	stop, err := ctl.Serve(nc, n, desk.New(n, store, time.Minute, slog.New(slog.DiscardHandler)).Endpoints()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	if err := n.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Apply(t.Context(), []byte(twoKinds)); err != nil {
		t.Fatal(err)
	}
	return func(user string, args ...string) (int, string, string) {
		return publish(t, append([]string{
			"-s", url, "--user", user, "--password", "of " + user, "--inbox-prefix", "_INBOX_" + user,
			"--fleet", "shop", "--timeout", cmdtest.Patience.String(),
		}, args...)...)
	}
}

func TestEachCommandAsksWithTheRightThatItsUserHas(t *testing.T) {
	t.Parallel()
	editor := func(name string, kinds ...string) access.User {
		u, err := access.Of(access.Options{Role: access.Editor, Fleet: "shop", Name: name, Kinds: kinds})
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	run := town(t, editor("all"), before(editor("old")), editor("bots", "Chatbot"))
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bot := file("bot.yaml", "apiVersion: example.dev/v1\nkind: Chatbot\nmetadata: {name: helper}\nspec: {model: m1}\n")
	account := file("account.yaml", "apiVersion: example.dev/v1\nkind: Account\nmetadata: {name: acme}\nspec: {plan: gold}\n")
	both := []string{"apply", "-f", bot, "-f", account}

	for _, user := range []string{"all", "old"} {
		for _, line := range [][]string{
			both,
			{"apply", "-f", bot},
			{"diff", "-f", bot},
			{"get", "chatbots"},
			{"get", "Chatbot/helper"},
			{"get"},
			{"set-status", "bot/helper", `{"by":"` + user + `"}`},
			{"invalidate", "manifest/chatbots"},
			{"invalidate", "manifest/bot/helper"},
			{"delete", "bot/helper"},
			both,
		} {
			if code, _, words := run(user, line...); code != 0 {
				t.Errorf("%s: %q: code %d: %s", user, line, code, words)
			}
		}
	}
	for _, line := range [][]string{
		{"apply", "-f", bot},
		{"diff", "-f", bot},
		{"get", "chatbots"},
		{"get", "bot/helper"},
		{"set-status", "bot/helper", `{"by":"bots"}`},
		{"set-status", "chatbot/helper", `{"by":"bots"}`},
		{"invalidate", "manifest/chatbots"},
		{"invalidate", "manifest/bot/helper"},
		{"delete", "bot/helper"},
		{"apply", "-f", bot, "--wait"},
		{"kinds"},
		{"example", "bot"},
	} {
		if code, _, words := run("bots", line...); code != 0 {
			t.Errorf("an editor of Chatbots: %q: code %d: %s", line, code, words)
		}
	}
	for _, tc := range []struct {
		line []string
		says []string
	}{
		{[]string{"apply", "-f", account}, []string{"lethe.v1.ctl.shop.apply.account", "lethe.v1.ctl.shop.apply\n"}},
		{[]string{"delete", "accounts/acme"}, []string{"lethe.v1.ctl.shop.delete.account"}},
		{[]string{"get", "account/acme"}, []string{"lethe.v1.ctl.shop.get.account"}},
		{[]string{"set-status", "account/acme", "{}"}, []string{"lethe.v1.ctl.shop.set-status.account"}},
		{[]string{"apply", "-f", bot, "-f", account}, []string{"lethe.v1.ctl.shop.apply", "Chatbot, Account", "each kind by itself"}},
	} {
		code, out, words := run("bots", tc.line...)
		if code != cli.CodeConnection || out != "" {
			t.Errorf("%q: code %d, %q: %s", tc.line, code, out, words)
		}
		for _, want := range tc.says {
			if !strings.Contains(words, want) {
				t.Errorf("%q: %q, want %q in it", tc.line, words, want)
			}
		}
	}
	if code, out, _ := run("all", "get", "account/acme", "-o", "yaml"); code != 0 || !strings.Contains(out, "plan: gold") || strings.Contains(out, "status:") {
		t.Errorf("code %d, %s", code, out)
	}
}
