package local

import (
	"context"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func gcCost() suite.Question {
	return suite.Question{
		ID: "gc", Title: "Garbage collection with a million cached entries", Unit: "ms/cycle", Rounds: 3,
		About: "What one cycle of Go's collector costs in CPU time of all threads (getrusage around three to ten calls of runtime.GC, the collector being off " +
			"otherwise) while a million entries (a quick run: 100,000) are cached, keys of 64 bytes and structs of ten fields, and how much heap in " +
			"use each entry takes. Every round builds each cache anew, and only one is alive at a time; \"nothing\" is a cycle of the program " +
			"without any. Bigcache, gocache and Lethe's bulk tier keep encoded bytes; Lethe's entries carry their labels, birth and expiry as " +
			"well, and its node and the embedded server are alive beside. The other caches and the map keep pointers. A " +
			"cycle has a floor, as \"nothing\" shows, most of which is stopping and waking threads; ratios are of the whole.",
		Bars: []suite.Bar{{Of: "lethe", To: "bigcache", Bound: 2}, {Of: "lethe, without hot tier", To: "bigcache", Bound: 2}},
		Cases: []suite.Case{{Name: "a million entries", Open: func(_ context.Context, e *suite.Env) ([]suite.Contender, error) {
			var all []suite.Contender
			for _, o := range []struct {
				name string
				open opener
				full bool // not in a quick run
			}{
				{"lethe", letheWith("lethe", lethe.Config{MaxBytes: memory}, event.All()), false},
				{"lethe, without hot tier", letheWith("lethe", lethe.Config{MaxBytes: memory}, event.All(), lethe.WithoutHot()), false},
				{"bigcache", openBigcache, false},
				{"gocache", openGocache, true},
				{"otter", otterWith("otter", true, false), false},
				{"ristretto", openRistretto, true},
				{"map", openMap, false},
				{"nothing", openNothing, false},
			} {
				if o.full && e.Quick {
					continue
				}
				most := suite.Pick(e, 1_000_000, 100_000)
				n := most / 100 // the round that does not count
				all = append(all, suite.Contender{Name: o.name, Run: func(ctx context.Context) (suite.Sample, error) {
					defer func() { n = most }()
					return collected(ctx, o.open, n)
				}})
			}
			return all, nil
		}}},
	}
}

// collected measures the collector while a cache with n entries is alive.
func collected(ctx context.Context, o opener, n int) (s suite.Sample, err error) {
	before := heap()
	c, err := o(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := c.close(); err == nil {
			err = cerr
		}
	}()
	const step = 20_000
	for i := 0; i < n; i += step { // so that the keys are not alive for longer than the cache wants them
		keys := make([]string, 0, step)
		for j := i; j < min(i+step, n); j++ {
			keys = append(keys, keyOf("product-", j))
		}
		if err := c.fill(keys); err != nil {
			return nil, err
		}
	}
	if c.name != "nothing" {
		for i := 0; i < n; i += max(n/1000, 1) {
			if !c.has(keyOf("product-", i)) {
				return nil, wrong(c.name, "lost %d of %d entries", i, n)
			}
		}
	}
	after := heap()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	cycles, begin := 0, cpu()
	for cycles < 3 || cycles < 10 && cpu()-begin < 300*time.Millisecond {
		runtime.GC()
		cycles++
	}
	spent := cpu() - begin
	runtime.KeepAlive(c)
	return suite.Sample{
		"ms/cycle": float64(spent) / 1e6 / float64(cycles),
		"B/entry":  max(float64(after)-float64(before), 0) / float64(n),
	}, nil
}

// cpu is the time that this process has spent on all cores.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

func openMap(_ context.Context, room int) (*cache, error) {
	m := make(map[string]*product, room)
	return &cache{
		name: "map", loads: &loader{},
		has:   func(k string) bool { return m[k] != nil },
		fill:  each(func(k string, v *product) error { m[k] = v; return nil }),
		close: func() error { clear(m); return nil },
	}, nil
}

func openNothing(context.Context, int) (*cache, error) {
	return &cache{
		name: "nothing", loads: &loader{},
		has:   func(string) bool { return true },
		fill:  func([]string) error { return nil },
		close: func() error { return nil },
	}, nil
}
