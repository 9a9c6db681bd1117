package bus_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// What an invalidation costs the bus, in messages, which no clock has a say in: one is published, stored and answered, and each
// node hears it once. Nothing else is said for it.
func TestAnInvalidationIsOneMessageToEachNodeAndOneAnswer(t *testing.T) {
	t.Parallel()
	const count = 50
	srv := serve(t)
	a, b := republished.open(t, connect(t, srv)), republished.open(t, connect(t, srv))
	ready(t, a, b)
	var published, live, answers atomic.Int64
	watch := func(subject string, n *atomic.Int64, counts func(*nats.Msg) bool) {
		nc := connect(t, srv)
		if _, err := nc.Subscribe(subject, func(m *nats.Msg) {
			if counts(m) {
				n.Add(1)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	about := func(m *nats.Msg) bool { return strings.Contains(string(m.Data), `"once:`) }
	watch(event.LogSubject(fleet, ">"), &published, about)
	watch(event.LiveSubject(fleet, ">"), &live, about)
	watch("_INBOX.>", &answers, func(m *nats.Msg) bool {
		return strings.Contains(string(m.Data), `"seq":`) && !strings.Contains(string(m.Data), `"type"`)
	})
	asked := answers.Load()
	var last event.Token
	tags := make([]string, count)
	for i := range tags {
		tags[i] = "once:" + event.NewID()
		last = invalidate(t, a, tags[i])
	}
	wait(t, last, a, b)
	for _, tag := range tags {
		if n := b.forgot(tag); n != 1 {
			t.Errorf("%s was applied %d times", tag, n)
		}
	}
	eventually(t, "all was seen", func() bool { return live.Load() >= count })
	if p, l := published.Load(), live.Load(); p != count || l != count {
		t.Errorf("%d invalidations were published in %d messages and heard in %d", count, p, l)
	}
	if n := answers.Load() - asked; n < count || n > count+10 { // ticks are answered as well
		t.Errorf("%d invalidations had %d answers", count, n)
	}
}

func TestManyCallersShareMessages(t *testing.T) {
	t.Parallel()
	const callers, each = 64, 25
	srv := serve(t)
	a := republished.open(t, connect(t, srv))
	ready(t, a)
	before := a.Status().Published
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				invalidate(t, a, "many:"+event.NewID())
			}
		})
	}
	wg.Wait()
	if n := a.Status().Published - before; n > callers*each/4 {
		t.Errorf("%d invalidations of %d callers took %d messages", callers*each, callers, n)
	}
}
