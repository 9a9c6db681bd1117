package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Conf is the accounts of a NATS server's configuration with these users, who are of one fleet. Each password is a variable
// of the configuration or the environment: WEB_1_PASSWORD for web-1. Nodes and admins are in the account of the stream, each
// publisher and watcher is in an account of its own that imports what it needs.
func Conf(users ...User) string {
	c := conf{}
	if len(users) == 0 {
		return ""
	}
	home := event.StreamName(users[0].Fleet)
	c.open("accounts {")
	c.open(home + " {")
	c.line("jetstream: enabled")
	c.open("users: [")
	for _, u := range users {
		if !u.Role.guest() {
			c.user(u)
		}
	}
	c.close("]")
	c.exports(users)
	c.close("}")
	for _, u := range users {
		if u.Role.guest() {
			c.guest(home, u)
		}
	}
	c.close("}")
	return c.String()
}

// conf writes indented lines.
type conf struct {
	strings.Builder
	depth int
}

func (c *conf) line(format string, args ...any) {
	c.WriteString(strings.Repeat("  ", c.depth))
	fmt.Fprintf(c, format, args...)
	c.WriteByte('\n')
}

func (c *conf) open(text string)  { c.line("%s", text); c.depth++ }
func (c *conf) close(text string) { c.depth--; c.line("%s", text) }

func (c *conf) user(u User) {
	c.open("{")
	c.line("# %s; it connects with the inbox prefix %s", u.Role, u.InboxPrefix)
	c.line("user: %q", u.Name)
	c.line("password: $%s", variable(u.Name)+"_PASSWORD")
	c.open("permissions: {")
	c.allow("publish", u.Publish)
	c.allow("subscribe", u.Subscribe)
	if r := u.Responses; r != nil {
		c.line("allow_responses: { max: %d, expires: %q }", r.Max, r.Expires)
	}
	c.close("}")
	c.close("}")
}

func (c *conf) allow(what string, grants []Grant) {
	c.open(what + ": { allow: [")
	for _, g := range grants {
		c.line("%-56s # %s", fmt.Sprintf("%q", g.Subject), g.Why)
	}
	c.close("] }")
}

// exports are what the guests import, each for those who need it and nobody else.
func (c *conf) exports(users []User) {
	type export struct {
		kind, subject string
		many          bool
		accounts      []string
	}
	var all []*export
	add := func(u User, kind string, g Grant) {
		i := slices.IndexFunc(all, func(e *export) bool { return e.kind == kind && e.subject == g.Subject })
		if i < 0 {
			i = len(all)
			all = append(all, &export{kind: kind, subject: g.Subject, many: g.many})
		}
		if a := account(u); !slices.Contains(all[i].accounts, a) {
			all[i].accounts = append(all[i].accounts, a)
		}
	}
	for _, u := range users {
		if u.Role.guest() {
			u.shared(func(kind string, g Grant) { add(u, kind, g) })
		}
	}
	if len(all) == 0 {
		return
	}
	c.open("exports: [")
	for _, e := range all {
		response := ""
		if e.many {
			response = ", response_type: stream"
		}
		c.line("{ %s: %q%s, accounts: [%s] }", e.kind, e.subject, response, strings.Join(e.accounts, ", "))
	}
	c.close("]")
}

func (c *conf) guest(home string, u User) {
	c.open(account(u) + " {")
	c.open("users: [")
	c.user(u)
	c.close("]")
	c.open("imports: [")
	u.shared(func(kind string, g Grant) {
		c.line("{ %s: { account: %s, subject: %q } }", kind, home, g.Subject)
	})
	c.close("]")
	c.close("}")
}

// shared calls yield for what a guest's account imports: all but its inbox. An account without JetStream of its own has the
// server answer every request to JetStream's API with "not enabled", unless it imports at least this one from elsewhere.
func (u User) shared(yield func(kind string, g Grant)) {
	yield("service", Grant{Subject: "$JS.API.INFO"})
	for _, g := range u.Publish {
		yield("service", g)
	}
	for _, g := range u.Subscribe {
		if g.Subject != u.InboxPrefix+".>" {
			yield("stream", g)
		}
	}
}

// account is the one a guest has for itself.
func account(u User) string { return event.StreamName(u.Fleet) + "_" + variable(u.Name) }

func variable(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}
