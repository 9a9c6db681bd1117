package lethe_test

import (
	"context"
	"encoding/json"
	"math"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

type (
	degrees float32
	place   struct {
		Lat, Lon degrees
		Name     string
	}
	quotedPlace struct {
		Lat float32 `json:"lat,string"`
	}
	quotedRate struct {
		Rate float64 `json:"rate,string"`
	}
)

// narrowCase is a function with float32 in its key, which has two entries, and events from elsewhere about the first of them.
type narrowCase struct {
	name   string
	get    func(t *testing.T, first bool)
	cached func(first bool) bool
	// exact are arguments that name the first entry; others can be no entry's, and forget the function.
	exact, others []string
}

func narrowOf[K comparable](n *lethe.Node, name string, first, second K, exact, others []string, opts ...lethe.Option) narrowCase {
	f := lethe.Memoize(n, event.Name[K](name), func(context.Context, K) (int, error) { return 1, nil }, opts...)
	key := func(isFirst bool) K {
		if isFirst {
			return first
		}
		return second
	}
	return narrowCase{
		name: name, exact: exact, others: others,
		get: func(t *testing.T, isFirst bool) { must[int](t)(f.Get(t.Context(), key(isFirst))) },
		cached: func(isFirst bool) bool {
			_, ok := f.Peek(context.Background(), key(isFirst))
			return ok
		},
	}
}

// A publisher in another language, or one whose function takes a double, says the double that a float32 is.
func TestAnEventThatNamesAFloat32KeyAsADoubleLeavesNoEntryStale(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	n, elsewhere := nodes[0], nodes[1]
	tenth := []string{`[0.1]`, `[0.10000000149011612]`, `[0.100000001490116119384765625]`, `[1.0000000149011612e-1]`}
	var vector, second [300]float32
	for i := range vector {
		vector[i] = 0.25
	}
	vector[299], second[0] = 0.1, 0.5
	vectorSays := func(last string) string {
		text := make([]json.RawMessage, len(vector))
		for i := range text {
			text[i] = json.RawMessage("0.25")
		}
		text[299] = json.RawMessage(last)
		b, err := json.Marshal([][]json.RawMessage{text})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	// Its form is too long to be kept.
	type long struct {
		A [250][10]int
		F float32
	}
	longSays := func(field string) string {
		b, err := json.Marshal(long{}.A)
		if err != nil {
			t.Fatal(err)
		}
		return `[{"A":` + string(b) + `,` + field + `}]`
	}
	cases := []narrowCase{
		narrowOf[float32](n, "n.plain", 0.1, 0.2, tenth, []string{`[0.1000000001]`, `[0.10000000149011]`, `[1e300]`, `[1e-300]`}),
		narrowOf[degrees](n, "n.named", 0.1, 0.2, tenth, []string{`[0.1000000001]`}),
		narrowOf(n, "n.whole", float32(1<<24), 1, []string{`[16777216]`}, []string{`[16777217]`, `[16777216.5]`}),
		narrowOf(n, "n.large", float32(1e20), 1, []string{`[100000000000000000000]`, `[1e20]`, `[100000002004087734272]`, `[1.0000000200408773e+20]`}, []string{`[100000000000000000001]`}),
		narrowOf(n, "n.struct", place{0.1, 0.3, "0.5"}, place{0.2, 0.3, "0.5"},
			[]string{`[{"Lat":0.10000000149011612,"Lon":0.3,"Name":"0.5"}]`, `[{"Lat":0.10000000149011612,"Lon":0.30000001192092896,"Name":"0.5"}]`},
			[]string{`[{"Lat":0.10000000149011612,"Lon":0.31,"Name":"x","Alt":1}]`, `[{"Lat":0.100000001,"Lon":0.3,"Name":"0.5"}]`}),
		narrowOf(n, "n.array", [2]degrees{0.1, 7}, [2]degrees{0.1, 8}, []string{`[[0.10000000149011612,7]]`}, []string{`[[0.11111111111,7]]`}),
		narrowOf(n, "n.quoted", quotedPlace{0.1}, quotedPlace{0.2}, []string{`[{"lat":"0.1"}]`},
			[]string{`[{"lat":"0.10000000149011612"}]`, `[{"lat":"0.10"}]`, `[{"lat":"north"}]`}),
		narrowOf(n, "n.vector", vector, second, []string{vectorSays("0.1")}, []string{vectorSays("0.10000000149011612"), vectorSays(`"0.10000000149011612"`)}),
		narrowOf(n, "n.long", long{F: 0.1}, long{F: 0.2}, []string{longSays(`"F":0.1`)},
			[]string{longSays(`"F":0.10000000149011612`), longSays(`"F":"0.10000000149011612"`)}),
		narrowOf[float32](n, "n.hashed", 0.1, 0.2, tenth, []string{`[0.1000000001]`}, lethe.WithHashedKeys()),
	}
	for _, c := range cases {
		say := func(said string, name bool, target func(event.Target) event.Target) {
			t.Helper()
			c.get(t, true)
			c.get(t, false)
			var args []json.RawMessage
			if err := json.Unmarshal([]byte(said), &args); err != nil {
				t.Fatal(err)
			}
			as := make([]any, len(args))
			for i := range args {
				as[i] = args[i]
			}
			k := target(event.Key(c.name, as...))
			lethetest.WaitAll(t, must[event.Token](t)(elsewhere.Invalidate(t.Context(), k)), n)
			if c.cached(true) {
				t.Errorf("%s: %.100s leaves the entry", c.name, said)
			}
			if got := c.cached(false); got != name {
				t.Errorf("%s: after %.100s the other entry is there: %v, want %v", c.name, said, got, name)
			}
		}
		as := func(target event.Target) event.Target { return target }
		for _, said := range c.exact {
			say(said, true, as)
		}
		for _, said := range c.others {
			say(said, false, as)
		}
		if c.name == "n.hashed" { // which float32 a hash means can't be told
			for _, said := range append(c.exact, c.others...) {
				say(said, false, event.Target.Hashed)
			}
		}
	}
	if metric(t, n, "lethe_events_widened_total", "reason", "shape") == 0 {
		t.Error("nothing was counted as widened")
	}
}

// What a node says itself of such a key, and what explain shows of it, is of that key alone.
func TestAFloat32KeyIsInvalidatedAndExplainedByItself(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	var fs []*lethe.Func[float32, int]
	for _, n := range nodes {
		fs = append(fs, lethe.Memoize(n, "f", func(context.Context, float32) (int, error) { return 1, nil }))
	}
	for i, say := range []func(context.Context) (event.Token, error){
		func(ctx context.Context) (event.Token, error) { return fs[0].Invalidate(ctx, 0.1) },
		func(ctx context.Context) (event.Token, error) {
			return nodes[0].Invalidate(ctx, event.Key("f", float64(float32(0.1))))
		},
		func(ctx context.Context) (event.Token, error) {
			return nodes[0].Publish(ctx, event.Event{Source: "/relay", Targets: []event.Target{event.Key("f", float64(float32(0.1)))}})
		},
	} {
		for _, f := range fs {
			must[int](t)(f.Get(t.Context(), 0.1))
			must[int](t)(f.Get(t.Context(), 0.2))
		}
		x := must[lethe.Explanation](t)(nodes[1].Explain(t.Context(), event.Key("f", float64(float32(0.1)))))
		if !x.Cached || !x.Usable {
			t.Errorf("%d: explain does not find the entry: %+v", i, x)
		}
		lethetest.WaitAll(t, must[event.Token](t)(say(t.Context())), nodes...)
		for _, f := range fs {
			if _, ok := f.Peek(t.Context(), 0.1); ok {
				t.Errorf("%d: the entry is left", i)
			}
			if _, ok := f.Peek(t.Context(), 0.2); !ok {
				t.Errorf("%d: the other one is not", i)
			}
		}
	}
}

// 0 and -0 are equal in Go, and two texts where the tag of a field quotes them.
func TestZeroAndMinusZeroInQuotesAreTwoKeys(t *testing.T) {
	t.Parallel()
	n := one(t)
	f := lethe.Memoize(n, "f", func(context.Context, quotedRate) (int, error) { return 1, nil })
	zero, minus := quotedRate{0}, quotedRate{math.Copysign(0, -1)}
	must[int](t)(f.Get(t.Context(), zero))
	if _, ok := f.Peek(t.Context(), minus); ok {
		t.Error("-0 is answered with the entry of 0, which no event about -0 forgets")
	}
	must[int](t)(f.Get(t.Context(), minus))
	must[event.Token](t)(f.Invalidate(t.Context(), minus))
	_, hasZero := f.Peek(t.Context(), zero)
	if _, ok := f.Peek(t.Context(), minus); ok || !hasZero {
		t.Errorf("after an invalidation of -0 it is there: %v, and 0: %v", ok, hasZero)
	}
}
