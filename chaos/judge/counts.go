package judge

import (
	"maps"
	"time"
)

// Counts is what a Judge has seen.
type Counts struct {
	Reads       map[string]map[Outcome]int64 `json:"reads"` // by function and outcome
	Judged      int64                        `json:"judged"`
	Commits     int64                        `json:"commits"`
	Applied     map[string]int64             `json:"applied"` // by how it was known
	Lives       int64                        `json:"lives"`   // of nodes, beyond their first
	Violations  int64                        `json:"violations"`
	LateCommits int64                        `json:"reads_too_old_by_the_stamp_only"`
	OldestHit   time.Duration                `json:"oldest_cached_ns"` // for how long the stream knew of a newer version, at most
	OldestStale time.Duration                `json:"oldest_stale_ns"`
	Behind      int64                        `json:"reads_behind_the_stream"` // an older version, within the bound
	Windows     int64                        `json:"porcupine_windows"`
	Checked     int64                        `json:"porcupine_operations"`
	Undecided   int64                        `json:"porcupine_undecided"` // out of time
}

func (c *Counts) read(r Read) {
	c.Judged++
	f := c.Reads[r.Func]
	if f == nil {
		f = map[Outcome]int64{}
		c.Reads[r.Func] = f
	}
	f[r.Outcome]++
}

func (c *Counts) age(o Outcome, age time.Duration) {
	c.Behind++
	if o == Stale {
		c.OldestStale = max(c.OldestStale, age)
		return
	}
	c.OldestHit = max(c.OldestHit, age)
}

func (c *Counts) clone() Counts {
	d := *c
	d.Applied = maps.Clone(c.Applied)
	d.Reads = map[string]map[Outcome]int64{}
	for f, m := range c.Reads {
		d.Reads[f] = maps.Clone(m)
	}
	return d
}
