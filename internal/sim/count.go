package sim

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// Counts is what happened in a run.
type Counts struct {
	Reads, Hits, Stale, ByPolicy, Promotions                              uint64
	Loads, Shared, Checked, CheckedGood, Queued, Impatient, Alone, Cycles uint64
	Manys, Refreshes, Overran, Errors, GivenUp, Stalls, Collapsed         uint64
	Stores, Unstored, TokenBypasses, Waits, Waited                        uint64

	Invalidations, Batches, BatchItems, Widened, Storms, WritersLeft, Relayed, Retries, Unpublished uint64
	Stored, Duplicates, Silent, Applies, Echoes, Fences, Fetches, Healed, Grants, Overflows         uint64

	LiveLost, LiveDoubled, Late, Dropped, RequestsLost                                         uint64
	Starts, Connects, Cuts, Partitions, NodeCrashes, Stops, Suspends, WallSteps                uint64
	ServerCrashes, Vanished, LeaderChanges, Lags, Truncations, Purges, Holes, Created          uint64
	Recreations, SquattedTicks, ForgedLost, Forged, Evictions, LeasedAtTheEnd, Witnesses, Runs uint64

	Resets map[cursor.Cause]uint64
}

func (c *Counts) reset(cause cursor.Cause) {
	if c.Resets == nil {
		c.Resets = map[cursor.Cause]uint64{}
	}
	c.Resets[cause]++
}

// Add adds what happened in another run.
func (c *Counts) Add(o *Counts) {
	mine, other := reflect.ValueOf(c).Elem(), reflect.ValueOf(o).Elem()
	for i := range mine.NumField() {
		if f := mine.Field(i); f.Kind() == reflect.Uint64 {
			f.SetUint(f.Uint() + other.Field(i).Uint())
		}
	}
	for cause, n := range o.Resets {
		if c.Resets == nil {
			c.Resets = map[cursor.Cause]uint64{}
		}
		c.Resets[cause] += n
	}
}

// String lists what happened, a few things a line.
func (c *Counts) String() string {
	v := reflect.ValueOf(c).Elem()
	var b strings.Builder
	col := 0
	put := func(name string, n uint64) {
		fmt.Fprintf(&b, "%16s %-12d", name, n)
		col++
		if col%5 == 0 {
			b.WriteByte('\n')
		}
	}
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Uint64 {
			put(v.Type().Field(i).Name, f.Uint())
		}
	}
	causes := make([]string, 0, len(c.Resets))
	for cause := range c.Resets {
		causes = append(causes, string(cause))
	}
	sort.Strings(causes)
	for _, cause := range causes {
		put("reset:"+cause, c.Resets[cursor.Cause(cause)])
	}
	b.WriteByte('\n')
	return b.String()
}
