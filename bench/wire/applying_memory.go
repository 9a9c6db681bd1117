package wire

import (
	"context"
	"errors"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

const memoryName = "lethe, from memory"

// fromMemory decodes and fences events that are there already, on one goroutine: what is left of applying without the client
// and the kernel.
func fromMemory(ctx context.Context, e *suite.Env, url string, keys int) (func(context.Context) (suite.Sample, error), error) {
	n, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: "memory"})
	if err != nil {
		return nil, err
	}
	e.Defer(n.Close)
	f := lethe.Memoize(n, function, func(context.Context, string) (string, error) { return "value", nil })
	ready, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := n.Ready(ready); err != nil {
		return nil, err
	}
	messages := make([]event.Message, 4096)
	for i := range messages {
		said := event.Event{Source: "/lethe/bench/memory"}
		for k := range keys {
			said.Targets = append(said.Targets, event.Key(function, key(i*keys+k)))
		}
		if messages[i], err = event.Encode("memory", said); err != nil {
			return nil, err
		}
	}
	at := 0
	return func(ctx context.Context) (suite.Sample, error) {
		if _, err := f.Get(ctx, key(0)); err != nil {
			return nil, err
		}
		s := suite.Time(e, func(times int) {
			for range times {
				m := messages[at%len(messages)]
				at++
				r := event.Decode("memory", m.Subject, m.Header, m.Data)
				n.Forget(r.Targets...)
			}
		})
		for range messages { // all of them once, whatever the round was long
			r := event.Decode("memory", messages[at%len(messages)].Subject, messages[at%len(messages)].Header, messages[at%len(messages)].Data)
			at++
			n.Forget(r.Targets...)
			if len(r.Targets) != keys {
				return nil, errors.New("an event was not read")
			}
		}
		if _, ok := f.Peek(ctx, key(0)); ok {
			return nil, errors.New("a key that was made stale is still served")
		}
		rate := float64(time.Second) / s["ns/op"]
		return suite.Sample{perCore: rate, "keys/s of one processor": rate * float64(keys), "allocs/event": s["allocs/op"]}, nil
	}, nil
}
