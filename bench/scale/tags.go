package scale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func tags() suite.Question {
	q := suite.Question{
		ID: "tags", Title: "More and more distinct tags invalidated: what one costs",
		About: "So many tags are invalidated, 100 an event (Node.Forget), each once; meanwhile, evenly spread, 10,000 entries are loaded, each with a tag of its own. " +
			"*ns* is the time for one tag, *worst event us* that of the slowest event (the table grows). *fence MB* is what the node's heap has grown by: an invalidated tag is remembered until the fence rotates, by time, or earlier " +
			"when a generation has 2^20 labels (a tag is several), which forgets the oldest: what is older than the floor counts as invalid then. " +
			"Afterwards half of the entries are invalidated by their tags and every entry is looked at: none of that half may be served, or the sample is an error; " +
			"*false %* of the others are not served although nothing has named them; they were below the floor. *hit ns* is a hit of one that is served " +
			"(loaded anew, where need be) after all that.",
		Unit: "ns", Rounds: 3,
	}
	for _, n := range []int{10_000, 100_000, 1_000_000, 3_000_000} {
		q.Cases = append(q.Cases, suite.Case{
			Name: count(n) + " tags", Full: n > 100_000,
			Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) { return openTags(ctx, e, n) },
		})
	}
	return q
}

// tagged is how many entries are looked at.
const tagged = 10_000

func ownTag(k int) string { return "own:" + strconv.Itoa(k) }

func openTags(ctx context.Context, e *suite.Env, n int) ([]suite.Contender, error) {
	l, err := openLocal(ctx, e, lethe.Config{})
	if err != nil {
		return nil, err
	}
	f := lethe.Memoize(l.node, event.Name[int]("value"), l.load, lethe.WithTags(func(k int, _ string) []string { return []string{ownTag(k)} }))
	empty, next := 0.0, 0
	return one(func(ctx context.Context) (suite.Sample, error) {
		if empty == 0 { // once the entries have their places
			if err := fill(ctx, f, 0, tagged); err != nil {
				return nil, err
			}
			empty = heap()
		}
		l.node.Forget(event.Function("value"))
		var took, worst time.Duration
		targets := make([]event.Target, eventKeys)
		events := n / eventKeys
		for i := range events {
			if err := fill(ctx, f, i*tagged/events, (i+1)*tagged/events); err != nil {
				return nil, err
			}
			for j := range targets {
				targets[j] = event.Tag("t" + strconv.Itoa(next%97) + ":" + strconv.Itoa(next))
				next++
			}
			begin := time.Now()
			l.node.Forget(targets...)
			d := time.Since(begin)
			took, worst = took+d, max(worst, d)
		}
		s := suite.Sample{
			"ns": float64(took.Nanoseconds()) / float64(n), "worst event us": float64(worst.Nanoseconds()) / 1e3,
			"fence MB": max(heap()-empty, 0) / (1 << 20),
		}
		if s["false %"], err = exact(ctx, l, f); err != nil {
			return nil, err
		}
		if err := fill(ctx, f, 0, tagged); err != nil {
			return nil, err
		}
		loads := l.loads.Load()
		hits, err := timed(suite.Pick(e, 100_000, 20_000), func() error {
			_, err := f.Get(ctx, rand.N(tagged))
			return err
		})
		if err == nil && l.loads.Load() != loads {
			err = fmt.Errorf("%d of the hits were loads", l.loads.Load()-loads)
		}
		s["hit ns"] = suite.Median(hits)
		return s, err
	}), nil
}

// fill loads the entries from one to below another.
func fill(ctx context.Context, f *lethe.Func[int, string], from, to int) error {
	for k := from; k < to; k++ {
		if _, err := f.Get(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// exact invalidates the even entries by their tags and looks at all; it returns the percentage of odd ones that are not served.
func exact(ctx context.Context, l *local, f *lethe.Func[int, string]) (float64, error) {
	for k := 0; k < tagged; k += 2 {
		l.node.Forget(event.Tag(ownTag(k)))
	}
	lost := 0
	for k := range tagged {
		_, served := f.Peek(ctx, k)
		switch {
		case k%2 == 0 && served:
			return 0, fmt.Errorf("entry %d is served after its tag was invalidated", k)
		case k%2 == 1 && !served:
			lost++
		}
	}
	return 100 * float64(lost) / (tagged / 2), nil
}
