package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

// of is Of of options that are right.
func of(t *testing.T, o Options) User {
	t.Helper()
	o.Fleet = "shop"
	u, err := Of(o)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// serve runs a server whose configuration is what Conf prints, with a store and the passwords it asks for.
func serve(t *testing.T, users ...User) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "listen: \"127.0.0.1:-1\"\njetstream: { store_dir: %q }\n", t.TempDir())
	for _, u := range users {
		fmt.Fprintf(&b, "%s_PASSWORD: %q\n", variable(u.Name), password(u.Name))
	}
	b.WriteString(Conf(users...))
	return run(t, b.String())
}

func password(name string) string { return "of " + name }

func run(t *testing.T, conf string) string {
	t.Helper()
	opts := &server.Options{NoSigs: true, NoLog: true}
	if err := opts.ProcessConfigString(conf); err != nil {
		t.Fatalf("%v in\n%s", err, conf)
	}
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatalf("%v in\n%s", err, conf)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return s.ClientURL()
}

// conn is a connection that remembers what the server has refused.
type conn struct {
	*nats.Conn
	mu  sync.Mutex // guards no
	no  []string
	url string
}

// login connects as u, with its password unless opts say how.
func login(t *testing.T, url string, u User, opts ...nats.Option) *conn {
	t.Helper()
	c := &conn{url: url}
	all := append([]nats.Option{
		nats.CustomInboxPrefix(u.InboxPrefix), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1), nats.ReconnectWait(50 * time.Millisecond), nats.Timeout(patience),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.no = append(c.no, err.Error())
			}
		}),
	}, opts...)
	if len(opts) == 0 {
		all = append(all, nats.UserInfo(u.Name, password(u.Name)))
	}
	nc, err := nats.Connect(url, all...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	c.Conn = nc
	return c
}

// refused returns what was refused so far, once the server has answered for everything that was sent.
func (c *conn) refused(t *testing.T) []string {
	t.Helper()
	if err := c.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.no)
}

// mayNot publishes to subject and requires that the server refuses it by name.
func (c *conn) mayNot(t *testing.T, subject string) {
	t.Helper()
	before := len(c.refused(t))
	if err := c.Publish(subject, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	until(t, "a refusal of "+subject, func() bool {
		now := c.refused(t)
		return len(now) > before && strings.Contains(now[len(now)-1], fmt.Sprintf("%q", subject))
	})
}

// mayNotHear is the same for a subscription.
func (c *conn) mayNotHear(t *testing.T, subject string) {
	t.Helper()
	before := len(c.refused(t))
	sub, err := c.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	until(t, "a refusal to subscribe to "+subject, func() bool { return len(c.refused(t)) > before })
}

func until(t *testing.T, what string, good func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(5 * time.Millisecond) {
		if good() {
			return
		}
	}
	t.Fatalf("not within %v: %s", patience, what)
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
