package bus_test

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// storm has each of many callers invalidate keys of its own function, so that nothing can be joined, and counts what comes of
// it.
func storm(t *testing.T, n *node, callers, each int) (ok, refused int, took time.Duration) {
	t.Helper()
	begun := time.Now()
	var good, bad, late atomic.Int64
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				f := event.Name[int]("storm.f" + string(rune('a'+c%26)) + string(rune('a'+c/26)))
				switch tok, err := n.Invalidate(t.Context(), []event.Target{f.Key(i)}); {
				case err == nil && !tok.IsZero():
					good.Add(1)
				case errors.Is(err, bus.ErrStorm) && errors.Is(err, bus.ErrNotPublished):
					bad.Add(1)
				case errors.Is(err, bus.ErrNotPublished): // sent, and a busy server has not answered in time
					late.Add(1)
				default:
					t.Errorf("caller %d: %v, %v", c, tok, err)
				}
			}
		})
	}
	wg.Wait()
	return int(good.Load() + late.Load()), int(bad.Load()), time.Since(begun)
}

func TestAStormIsPacedAndRefusedWithAClearError(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	n := open(t, connect(t, srv), func(c *bus.Config) { c.MaxEvents = 5 })
	ready(t, n)
	before := n.Status().Published
	ok, refused, took := storm(t, n, 100, 3)
	sent := int(n.Status().Published - before)
	if refused == 0 || ok+refused != 300 || uint64(refused) != n.Status().Storms {
		t.Fatalf("%d published, %d refused (%d counted)", ok, refused, n.Status().Storms)
	}
	// 5 at once, 5 a second; ticks of this node count as published, too.
	if most := 5 + int(5*took.Seconds()) + 2 + int(took.Seconds()); sent > most {
		t.Errorf("%d events in %v, at most %d may be sent", sent, took, most)
	}
	eventually(t, "the storm is over", func() bool {
		_, err := n.Invalidate(t.Context(), []event.Target{event.Tag("user:42")})
		return err == nil
	})
}

func TestAStormIsWidenedWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	n := open(t, connect(t, srv), func(c *bus.Config) { c.MaxEvents, c.WidenStorms = 1, true })
	other := open(t, connect(t, srv))
	ready(t, n, other)
	// Keys so large that each needs an event of its own: one goes at once, one a second later, and there may be no third.
	const callers = 8
	tokens := make(chan event.Token, callers)
	for i := range callers {
		go func() {
			token, err := n.Invalidate(t.Context(), []event.Target{event.Key("storm.f", strings.Repeat(strconv.Itoa(i), 30_000))})
			if err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
			tokens <- token
		}()
	}
	var last event.Token
	for range callers {
		if token := <-tokens; token.Sequence() > last.Sequence() {
			last = token
		}
	}
	if n.Status().Widened["storm"] == 0 {
		t.Error("nothing was widened, or it was not counted")
	}
	wait(t, last, n, other)
	for _, who := range []*node{n, other} {
		who.mu.Lock()
		whole := 0
		for _, d := range who.applied {
			if len(d.Targets) == 1 && d.Targets[0] == event.Function("storm.f") {
				whole++
				if d.Echo {
					t.Error("it came back as an echo: this node had fenced only a part of it")
				}
			}
		}
		who.mu.Unlock()
		if whole == 0 {
			t.Error("the function was not forgotten")
		}
	}
}

func TestCloseAnswersWhoIsHeldBackByAStorm(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	n := open(t, connect(t, srv), func(c *bus.Config) { c.MaxEvents = 1 })
	ready(t, n)
	errs := make(chan error, 2)
	invalidate(t, n, "first:x")
	go func() {
		_, err := n.Invalidate(t.Context(), []event.Target{event.Tag("second:x")})
		errs <- err
	}()
	go func() {
		for {
			if _, err := n.Invalidate(t.Context(), []event.Target{event.Tag("third:x")}); !errors.Is(err, bus.ErrStorm) {
				errs <- err // refused while the second waits, closed then
				return
			}
		}
	}()
	eventually(t, "the third is refused", func() bool { return n.Status().Storms > 0 })
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-errs; err != nil && !errors.Is(err, bus.ErrClosed) && !errors.Is(err, bus.ErrStorm) {
			t.Errorf("got %v", err)
		}
	}
}

func TestAServersAnswerOnASubjectOfTheLogForgetsNothing(t *testing.T) {
	t.Parallel()
	n := fleetOf(t, 1)[0]
	// The server sends the acknowledgement of the first to the reply subject, with rights of its own: live, and into the log.
	for _, reply := range []string{event.LiveSubject(fleet, "all"), event.LogSubject(fleet, "all")} {
		m := &nats.Msg{Subject: event.LogSubject(fleet, "tag.user"), Reply: reply, Data: raw("user:42")}
		if err := n.nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both are counted", func() bool { return n.Status().Rejected[event.RejectedAnswer] >= 2 })
	eventually(t, "what was said is applied", func() bool { return n.forgot("user:42") == 2 })
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range n.applied {
		for _, target := range d.Targets {
			if target == event.All() {
				t.Errorf("everything was forgotten: %+v", d)
			}
		}
	}
}
