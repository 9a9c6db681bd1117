package lethe

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
)

// told is what a health says at a moment, one line each, without the time.
type told struct {
	*health
	out bytes.Buffer
}

func newTold(publishOnly bool) *told {
	d := &told{}
	d.health = newHealth(slog.New(slog.NewTextHandler(&d.out, nil)), publishOnly, time.Hour)
	return d
}

// at looks so long after the start, and returns what was said.
func (d *told) at(after time.Duration, current bool) string {
	d.out.Reset()
	d.look(time.Hour+after, seen{
		current: current, code: "tick", why: errors.New("no ticks"), cursor: 7, last: 9, age: 12 * time.Second, healed: uint64(after / time.Second),
	})
	_, text, _ := strings.Cut(d.out.String(), "event=")
	return strings.TrimSpace(text)
}

func (d *told) want(t *testing.T, after time.Duration, current bool, want string) {
	t.Helper()
	if got := d.at(after, current); got != want {
		t.Errorf("after %v it says %q, want %q", after, got, want)
	}
}

const second = time.Second

func TestANodeThatIsNotReadySaysSoEverMoreSeldom(t *testing.T) {
	t.Parallel()
	d := newTold(false)
	var at []time.Duration
	for after := time.Duration(0); after < 30*time.Minute; after += 250 * time.Millisecond {
		if d.at(after, false) != "" {
			at = append(at, after)
		}
	}
	want := []time.Duration{5, 10, 20, 40, 80, 160, 320, 620, 920, 1220, 1520}
	if len(at) != len(want) {
		t.Fatalf("said at %v", at)
	}
	for i, w := range want {
		if at[i] != w*second { //nolint:durationcheck // w counts seconds
			t.Errorf("said at %v, want %v", at[i], w*second) //nolint:durationcheck // as above
		}
	}
	d = newTold(false)
	d.want(t, 5*second, false, `not_ready code=tick reason="no ticks" for=5s`)
	d.want(t, 7*second, true, "ready took=7s cursor=7")
	d.want(t, 8*second, true, "")
}

// A node that was ready stays so for its traffic, at /readyz.
func TestANodeThatWasReadyIsSaidToBeNoLongerCurrent(t *testing.T) {
	t.Parallel()
	d := newTold(false)
	d.at(6*second, false)
	if !strings.Contains(d.out.String(), "the node is not ready") {
		t.Errorf("before: %s", d.out.String())
	}
	d.at(7*second, true)
	d.at(8*second, false)
	d.at(14*second, false)
	if text := d.out.String(); !strings.Contains(text, "the node is still not current") || !strings.Contains(text, "event=not_ready") {
		t.Errorf("after: %s", text)
	}
}

func TestALeaseThatIsLostAndBackIsSaid(t *testing.T) {
	t.Parallel()
	d := newTold(false)
	d.at(0, true)
	d.want(t, 20*second, false, `lease_lost code=tick reason="no ticks" age=12s behind=2`)
	d.want(t, 24*second, false, "")
	d.want(t, 25*second, false, `not_ready code=tick reason="no ticks" for=5s`)
	d.want(t, 33*second, true, "lease_back gone_for=13s healed=13")
	d.want(t, 34*second, false, `lease_lost code=tick reason="no ticks" age=12s behind=2`)
	d.want(t, 35*second, true, "") // a lease that comes and goes
	d.want(t, 36*second, false, "")
	d.want(t, 37*second, true, "")
	d.want(t, 50*second, false, `lease_lost code=tick reason="no ticks" age=12s behind=2`)
	d.want(t, 51*second, true, "lease_back gone_for=1s healed=1")
}

func TestANodeThatOnlyPublishesHasNoLeaseToLose(t *testing.T) {
	t.Parallel()
	d := newTold(true)
	d.want(t, 0, true, "")
	d.want(t, 20*second, false, "")
	d.want(t, 25*second, false, `not_ready code=tick reason="no ticks" for=5s`)
	d.want(t, 26*second, true, "")
}

func TestTheLogNamesTheServersOfAConnectionAndNoPassword(t *testing.T) {
	t.Parallel()
	out := &syncLog{}
	n, err := Open(t.Context(), Config{
		URL:    "nats://me:secret@127.0.0.1:1, nats://secret@127.0.0.1:2,secret@127.0.0.1:3", // the last two are tokens
		Logger: slog.New(slog.NewTextHandler(out, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil { // the log is whole
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(out.String(), "\n")
	for port := range 3 {
		if want := fmt.Sprintf("nats://127.0.0.1:%d", port+1); !strings.Contains(first, want) {
			t.Errorf("the first line lacks %s: %s", want, first)
		}
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("the log has a password: %s", out)
	}
	_, err = Open(t.Context(), Config{URL: "nats://me:secret@%zz"})
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "nats://HOST:PORT") {
		t.Errorf("a URL that can't be read: %v", err)
	}
}

// TestTheReadyLineNamesTheServerThatIsConnected also looks at a server in this process, whose address the client does not know.
func TestTheReadyLineNamesTheServerThatIsConnected(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	inside, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	for _, cfg := range []Config{{URL: server.URL()}, {Conn: inside}} {
		out := &syncLog{}
		cfg.Logger = slog.New(slog.NewTextHandler(out, nil))
		n, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); !strings.Contains(out.String(), "event=ready"); <-time.After(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it is not ready: %s", out)
			}
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		_, ready, _ := strings.Cut(out.String(), "event=ready")
		ready, _, _ = strings.Cut(ready, "\n")
		if want := " nats=" + server.URL(); cfg.URL != "" && !strings.HasSuffix(ready, want) {
			t.Errorf("ready%s, want it to end with%s", ready, want)
		}
		if cfg.Conn != nil && strings.Contains(out.String(), " nats=") {
			t.Errorf("a server in this process has an address: %s", out)
		}
	}
}

// syncLog is a log.
type syncLog struct {
	mu sync.Mutex // guards b
	b  strings.Builder
}

func (s *syncLog) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncLog) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestABadTargetIsNamedOnceInItsError(t *testing.T) {
	t.Parallel()
	n, err := Open(t.Context(), Config{URL: "nats://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	bad := event.Tag("nocolon")
	_, invalidate := n.Invalidate(t.Context(), event.Tag("a:b"), bad)
	_, explain := n.Explain(t.Context(), bad)
	for want, err := range map[string]error{"targets[1]: ": invalidate, "explain target: ": explain} {
		if !errors.Is(err, event.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), bad.Err().Error()) != 1 {
			t.Errorf("%v; want %q, and once %v", err, want, bad.Err())
		}
	}
}
