package wire

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

const (
	missed   = 100 // messages of a gap
	bareName = "bare Direct Get"
)

func gap() suite.Question {
	return suite.Question{
		ID: "gap", Title: "A gap of 100 messages, healed", Unit: "us",
		About: "The node's connection loses 100 events (a dialer that reads the protocol takes them out); the next one passes and shows the gap. " +
			"`us` is from the moment when the node's request for what is missing leaves it until its receiver has been called with the last event, " +
			"that is, all were fetched, decoded, fenced and put in order, and the cursor has passed them. `us in all` is from the moment when the " +
			"event that shows the gap reaches the node. " +
			"`bare Direct Get` asks for the same 100 messages in one batch, over the same kind of connection, and looks at none of them. A node " +
			"asks for one more on either side, which it compares with what it knows.",
		Bars: []suite.Bar{{Of: letheName, To: bareName, Bound: 1.5}},
		Cases: []suite.Case{{Name: "100 events", Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
			g, err := openGap(ctx, e)
			if err != nil {
				return nil, err
			}
			times := suite.Pick(e, 15, 5)
			return []suite.Contender{
				{Name: letheName, Run: func(ctx context.Context) (suite.Sample, error) { return g.heal(ctx, times) }},
				{Name: bareName, Run: func(ctx context.Context) (suite.Sample, error) { return g.fetch(ctx, times) }},
			}, nil
		}}},
	}
}

// gapped is a node that can be made to miss something.
type gapped struct {
	*publisher
	loss  *dropper
	bare  *nats.Conn
	heard chan int // number of the last key that was heard
	want  atomic.Int64
	next  int
	seq   uint64 // of the last event
}

func openGap(ctx context.Context, e *suite.Env) (*gapped, error) {
	_, url, err := startServer(ctx, e)
	if err != nil {
		return nil, err
	}
	g := &gapped{loss: &dropper{}, heard: make(chan int, 1), next: 1}
	if g.publisher, err = newPublisher(ctx, e, url); err != nil {
		return nil, err
	}
	node, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: fleet, NATSOptions: []nats.Option{nats.SetCustomDialer(g.loss)}})
	if err != nil {
		return nil, err
	}
	e.Defer(node.Close)
	lethe.Memoize(node, function, func(_ context.Context, k string) (string, error) { return k, nil })
	err = node.Receive("bench", func(_ context.Context, e event.Event) error {
		for _, t := range e.Targets {
			if n := number(t.Args()); n > 0 && int64(n) == g.want.Load() {
				g.heard <- n
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := node.Ready(within); err != nil {
		return nil, err
	}
	g.bare, err = nats.Connect(url, nats.SetCustomDialer(&dropper{}))
	if err != nil {
		return nil, err
	}
	e.Defer(func() error { g.bare.Close(); return nil })
	return g, nil
}

// heal makes gaps and waits until each is closed. One that the node found before it was shown (its regular look at the stream's end
// fell into it) does not count.
func (g *gapped) heal(ctx context.Context, times int) (suite.Sample, error) {
	var after, whole []float64
	for try := 0; len(after) < times; try++ {
		if try > 3*times {
			return nil, errors.New("the node finds its gaps before they are shown")
		}
		g.loss.dropped.Store(0)
		g.loss.on.Store(true)
		for range missed {
			if err := g.say(ctx); err != nil {
				return nil, err
			}
		}
		if !poll(ctx, patience, func() bool { return g.loss.dropped.Load() >= missed }) {
			return nil, fmt.Errorf("%d messages of %d were lost", g.loss.dropped.Load(), missed)
		}
		g.loss.on.Store(false)
		g.loss.asked.Store(0)
		g.want.Store(int64(g.next))
		if err := g.say(ctx); err != nil {
			return nil, err
		}
		select {
		case <-g.heard:
		case <-time.After(patience):
			return nil, errors.New("the gap was not healed")
		}
		at, shown, asked := time.Now().UnixNano(), g.loss.passed.Load(), g.loss.asked.Load()
		if asked < shown {
			continue
		}
		after, whole = append(after, float64(at-asked)/1e3), append(whole, float64(at-shown)/1e3)
	}
	return suite.Sample{"us": suite.Median(after), "us in all": suite.Median(whole)}, nil
}

func (g *gapped) say(ctx context.Context) error {
	t, err := g.lethe.Invalidate(ctx, event.Key(function, key(g.next)))
	g.next++
	g.seq = t.Sequence()
	return err
}

// fetch asks for the last messages before the present one.
func (g *gapped) fetch(ctx context.Context, times int) (suite.Sample, error) {
	for g.next <= 2*missed { // what is asked for has to be there, in the first round as well
		if err := g.say(ctx); err != nil {
			return nil, err
		}
	}
	var took []float64
	for range times {
		began := time.Now()
		n, err := g.directGet(ctx, g.seq-missed)
		if err != nil {
			return nil, err
		}
		if n != missed {
			return nil, fmt.Errorf("%d messages instead of %d", n, missed)
		}
		took = append(took, float64(time.Since(began))/1e3)
		rest(ctx, 20*time.Millisecond) // as long as the node rests before it asks
	}
	return suite.Sample{"us": suite.Median(took)}, nil
}

// directGet is one batched request, with an inbox of its own.
func (g *gapped) directGet(ctx context.Context, from uint64) (n int, err error) {
	inbox := g.bare.NewRespInbox()
	sub, err := g.bare.SubscribeSync(inbox)
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	body := `{"seq":` + strconv.FormatUint(from, 10) + `,"batch":` + strconv.Itoa(missed) + `,"next_by_subj":"` + event.LogSubject(fleet, ">") + `"}`
	if err := g.bare.PublishRequest("$JS.API.DIRECT.GET."+event.StreamName(fleet), inbox, []byte(body)); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return n, err
		}
		if status := m.Header.Get("Status"); status == "204" {
			return n, nil
		} else if status != "" {
			return n, errors.New("the server says " + status)
		}
		n++
	}
}
