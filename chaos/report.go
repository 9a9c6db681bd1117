package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/lethe-cache/lethe/chaos/judge"
)

// report is what a run has shown.
type report struct {
	Seed       uint64           `json:"seed"`
	Length     string           `json:"length"`
	Ending     string           `json:"ending"` // how long the end took to heal and be checked
	Nodes      int              `json:"nodes"`
	Bounds     []string         `json:"bounds"`
	Disk       string           `json:"disk"`
	Judge      judge.Counts     `json:"judge"`
	Brokers    *brokerReport    `json:"brokers,omitempty"`
	OldestHit  string           `json:"oldest_cached"`
	OldestPast string           `json:"oldest_stale"`
	Writes     int64            `json:"writes"`
	Acked      int              `json:"acknowledged"`
	Unknown    int64            `json:"unknown_then_retried"`
	Why        map[string]int64 `json:"why_unknown"`
	Waits      int64            `json:"waits"`
	Unwaited   int64            `json:"waits_given_up"`
	Logged     int              `json:"log_messages_read_at_the_end"`
	Lost       []string         `json:"lost"`
	Epochs     int              `json:"epochs"`
	Heard      int64            `json:"stream_messages"`
	Leaders    int64            `json:"leader_changes_seen"`
	Stepdowns  int64            `json:"stepdowns"`
	Faults     map[string]int64 `json:"faults"`
	Trouble    map[string]int64 `json:"trouble_with_faults,omitempty"`
	Replaced   int64            `json:"proxies_replaced"` // they hung
	Fleet      stats            `json:"fleet"`
	Lives      map[string]stats `json:"nodes_counts"`
	Cut        int64            `json:"lines_cut_by_kills"`
}

func (d *driver) result() report {
	c := d.judge.Counts()
	r := report{
		Seed: d.opt.seed, Length: d.opt.length.String(), Ending: d.ending.Round(time.Millisecond).String(), Nodes: d.opt.nodes,
		Disk: d.disk.String(), Judge: c, Brokers: d.brokerResult(), OldestHit: c.OldestHit.String(), OldestPast: c.OldestStale.String(),
		Writes: d.writes.Load(), Acked: d.ledger.count, Unknown: d.unknown.Load(), Why: d.reasons.counts(),
		Waits: d.waits.Load(), Unwaited: d.unwaited.Load(), Logged: d.logged, Lost: d.lost[:min(len(d.lost), 100)],
		Epochs: len(d.epochs), Heard: d.watch.heard, Leaders: d.leaders.Load(), Stepdowns: d.stepdowns.Load(),
		Faults: d.harmed.counts(), Trouble: d.trouble.counts(), Replaced: d.cluster.links.replaced.Load(), Lives: map[string]stats{},
	}
	for i, n := range d.nodes {
		r.Bounds = append(r.Bounds, d.bound(i).String())
		s := n.counts()
		r.Lives[n.name] = s
		r.Fleet.add(s)
		r.Cut += n.broken.Load()
	}
	return r
}

// violationsMost bounds what is written down of a run that is broken through and through; all are counted.
const violationsMost = 200

// violation writes a violation and its history down, and says it.
func (d *driver) violation(v judge.Violation) {
	d.saying.Lock()
	defer d.saying.Unlock()
	d.said++
	if d.said > violationsMost {
		return
	}
	d.say("VIOLATION %s", v)
	f, err := os.OpenFile(d.opt.history, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.say("history: %v", err)
		return
	}
	defer func() { _ = f.Close() }()
	fmt.Fprintf(f, "%s\nfaults:\n%s\n\n", v.Text(), strings.Join(d.harmed.recent(), "\n"))
}

// progress says how it goes, every ten seconds.
func (d *driver) progress(ctx context.Context) {
	for {
		wait(ctx, 10*time.Second)
		if ctx.Err() != nil {
			return
		}
		c := d.judge.Counts()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		var states []string
		for _, n := range d.nodes {
			states = append(states, n.counts().State)
		}
		d.say("%6s  reads %d  writes %d  unknown %d  open %d  waits %d (%d given up)  violations %d  oldest %v  leaders %d  faults %d (now %d)  heap %d MB  %s",
			time.Since(d.begun).Round(time.Second), c.Judged, d.writes.Load(), d.unknown.Load(), d.open.Load(), d.waits.Load(), d.unwaited.Load(),
			c.Violations, c.OldestHit.Round(time.Millisecond), d.leaders.Load(), d.harmed.total(), d.active.Load(), m.HeapAlloc>>20, strings.Join(states, " "))
	}
}

// finish prints the report and writes it to a file.
func (d *driver) finish() error {
	b, err := json.MarshalIndent(d.result(), "", "  ")
	if err != nil {
		return err
	}
	d.say("%s", b)
	if d.opt.report == "" {
		return nil
	}
	return os.WriteFile(d.opt.report, append(b, '\n'), 0o600)
}
