package judge

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// s is a second of the clock.
const s = int64(time.Second)

// book is a judge of one node with a bound of 5 s, and what it found.
type book struct {
	*Judge
	found []Violation
}

func open(t *testing.T, cfg Config) *book {
	t.Helper()
	b := &book{}
	cfg.Keys = 2
	cfg.Bounds = []time.Duration{5 * time.Second, 10 * time.Second}
	cfg.Limits = map[string]time.Duration{"serve": 15 * time.Second}
	cfg.Composite = map[string]bool{"pair": true}
	cfg.Report = func(v Violation) { b.found = append(b.found, v) }
	b.Judge = New(cfg)
	for k := range 2 {
		b.commit(k, 1, s)
	}
	return b
}

func (b *book) commit(key int, version, at int64) {
	b.Commit(Commit{Cover{key, version}, at, at + 1})
}

func (b *book) stored(key int, version, at int64, soft bool) {
	b.Stored(Stored{Sequence: uint64(version), Stamp: at, Seen: at, Soft: soft, Covers: []Cover{{key, version}}})
}

func (b *book) applied(node, key int, version, at int64, soft bool) {
	b.Applied(node, 0, Applied{How: "wait", Begin: at - 1, End: at, Soft: soft, Covers: []Cover{{key, version}}})
}

func (b *book) read(node int, f string, key int, o Outcome, version, at int64) {
	b.Read(node, 0, Read{Func: f, Key: key, Begin: at, End: at + 1000, Outcome: o, Version: version}, at+2000)
}

// rules are the rules of what was found, sorted, each once.
func (b *book) rules() string {
	b.Finish()
	var rules []string
	for _, v := range b.found {
		rules = append(rules, v.Rule)
	}
	slices.Sort(rules)
	return strings.Join(slices.Compact(rules), " ")
}

func TestEachRuleFindsWhatBreaksItAndNothingElse(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		history func(b *book)
		want    string
	}{
		{"a good history", func(b *book) {
			b.read(0, "item", 0, Miss, 1, 2*s)
			b.commit(0, 2, 3*s)
			b.read(0, "item", 0, Hit, 1, 4*s) // not announced yet
			b.stored(0, 2, 5*s, false)
			b.read(0, "item", 0, Hit, 1, 6*s) // within the bound
			b.applied(0, 0, 2, 7*s, false)
			b.read(0, "item", 0, Miss, 2, 8*s)
			b.read(1, "item", 0, Hit, 1, 14*s) // the other node's bound is 10 s
		}, ""},
		{"a stale read after a wait", func(b *book) {
			b.commit(0, 2, 3*s)
			b.stored(0, 2, 3*s+10, false)
			b.applied(0, 0, 2, 4*s, false)
			b.read(0, "item", 0, Hit, 1, 4*s+1)
		}, "exact linear"},
		{"a read that began before the wait returned", func(b *book) {
			b.commit(0, 2, 3*s)
			b.applied(0, 0, 2, 4*s, false)
			b.read(0, "item", 0, Hit, 1, 4*s)
		}, ""},
		{"a wait on another node says nothing of this one", func(b *book) {
			b.commit(0, 2, 3*s)
			b.applied(1, 0, 2, 4*s, false)
			b.read(0, "item", 0, Hit, 1, 5*s)
		}, ""},
		{"a read too old", func(b *book) {
			b.commit(0, 2, 3*s)
			b.stored(0, 2, 4*s, false)
			b.read(0, "item", 0, Hit, 1, 9*s+1)
		}, "bound"},
		{"a read as old as it may be", func(b *book) {
			b.commit(0, 2, 3*s)
			b.stored(0, 2, 4*s, false)
			b.read(0, "item", 0, Hit, 1, 9*s)
		}, ""},
		{"too old by the stamp alone", func(b *book) {
			b.commit(0, 2, 3*s)
			b.Stored(Stored{Sequence: 9, Stamp: 3 * s, Seen: 8 * s, Covers: []Cover{{0, 2}}})
			b.read(0, "item", 0, Hit, 1, 9*s)
		}, ""},
		{"a later invalidation covers an earlier one that nobody acknowledged", func(b *book) {
			b.commit(0, 2, 3*s)
			b.commit(0, 3, 4*s)
			b.applied(0, 0, 3, 5*s, false)
			b.read(0, "item", 0, Hit, 2, 6*s)
		}, "exact linear"},
		{"served stale within the limit", func(b *book) {
			b.commit(0, 2, 3*s)
			b.stored(0, 2, 4*s, false)
			b.read(0, "serve", 0, Stale, 1, 24*s)
		}, ""},
		{"served stale beyond the limit", func(b *book) {
			b.commit(0, 2, 3*s)
			b.stored(0, 2, 4*s, false)
			b.read(0, "serve", 0, Stale, 1, 24*s+1)
		}, "bound"},
		{"served stale after a wait", func(b *book) {
			b.commit(0, 2, 3*s)
			b.applied(0, 0, 2, 4*s, false)
			b.read(0, "serve", 0, Stale, 1, 5*s)
		}, "exact"},
		{"served stale after a soft one was waited for", func(b *book) {
			b.commit(0, 2, 3*s)
			b.stored(0, 2, 4*s, true)
			b.applied(0, 0, 2, 4*s+1, true)
			b.read(0, "stale", 0, Stale, 1, 30*s)
		}, ""},
		{"a hit after a soft one was waited for", func(b *book) {
			b.commit(0, 2, 3*s)
			b.applied(0, 0, 2, 4*s, true)
			b.read(0, "stale", 0, Hit, 1, 5*s)
		}, "exact"},
		{"a bypass that brings what was cached", func(b *book) {
			b.commit(0, 2, 3*s)
			b.read(0, "item", 0, Bypass, 1, 4*s)
		}, "fresh linear"},
		{"a bypass of a function over others", func(b *book) {
			b.commit(0, 2, 3*s)
			b.read(0, "pair", 0, Bypass, 1, 4*s)
		}, ""},
		{"a version that nobody wrote", func(b *book) {
			b.read(0, "item", 0, Miss, 2, 2*s)
			b.commit(0, 2, 3*s)
		}, "future linear"},
		{"a read behind its own token", func(b *book) {
			b.commit(0, 2, 3*s)
			b.Read(0, 0, Read{Func: "item", Key: 0, Begin: 4 * s, End: 4*s + 1, Outcome: Hit, Need: 2, Version: 1}, 5*s)
		}, "exact"},
		{"what is told late counts all the same", func(b *book) {
			b.commit(0, 2, 3*s)
			b.read(0, "item", 0, Hit, 1, 5*s)
			b.applied(0, 0, 2, 4*s, false)
		}, "exact linear"},
		{"a new process knows nothing of the old", func(b *book) {
			b.commit(0, 2, 3*s)
			b.applied(0, 0, 2, 4*s, false)
			b.Reborn(0, 1)
			b.Read(0, 1, Read{Func: "item", Key: 0, Begin: 5 * s, End: 5*s + 1, Outcome: Miss, Version: 1}, 6*s)
		}, ""},
		{"and the old one's reads are judged all the same", func(b *book) {
			b.commit(0, 2, 3*s)
			b.applied(0, 0, 2, 4*s, false)
			b.read(0, "item", 0, Hit, 1, 5*s)
			b.Reborn(0, 1)
		}, "exact linear"},
		{"the old one's reads wait for news of a write that it began", func(b *book) {
			b.read(0, "item", 0, Hit, 2, 5*s)
			b.Reborn(0, 1)
			b.commit(0, 2, 3*s)
		}, ""},
		{"and for news of what it had applied", func(b *book) {
			b.commit(0, 2, 3*s)
			b.read(0, "item", 0, Hit, 1, 5*s)
			b.Reborn(0, 1)
			b.applied(0, 0, 2, 4*s, false)
		}, "exact linear"},
		{"two reads that no order explains", func(b *book) {
			// Each bypass brings what is committed at its moment: 3, and afterwards 2 again.
			b.Commit(Commit{Cover{0, 2}, 3 * s, 9 * s})
			b.Commit(Commit{Cover{0, 3}, 3 * s, 9 * s})
			b.read(0, "item", 0, Bypass, 3, 4*s)
			b.read(0, "item", 0, Bypass, 2, 5*s)
		}, "linear"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := open(t, Config{})
			c.history(b)
			if got := b.rules(); got != c.want {
				t.Errorf("found %q, want %q: %v", got, c.want, b.found)
			}
		})
	}
}

func TestAReadIsJudgedOnlyWhenNewsOfItsPastHadTimeToCome(t *testing.T) {
	t.Parallel()
	b := open(t, Config{Delay: 20 * time.Second})
	b.commit(0, 2, 3*s)
	b.read(0, "item", 0, Hit, 1, 5*s)
	b.Advance(24 * s)
	if c := b.Counts(); c.Judged != 0 {
		t.Fatalf("%d reads judged already", c.Judged)
	}
	b.applied(0, 0, 2, 4*s, false)
	b.Advance(26 * s)
	if c := b.Counts(); c.Judged != 1 || c.Violations == 0 {
		t.Errorf("%d reads judged, %d violations", c.Judged, c.Violations)
	}
}

func TestAnHourIsRememberedAsAWindow(t *testing.T) {
	t.Parallel()
	b := open(t, Config{Window: -1})
	for i := int64(2); i < 3600; i++ {
		b.commit(0, i, i*s)
		b.stored(0, i, i*s+1, false)
		b.applied(0, 0, i, i*s+2, false)
		b.read(0, "item", 0, Hit, i, i*s+3)
		b.Advance(i*s + s/2)
	}
	if n := len(b.keys[0].seen) + len(b.nodes[0].applied[0].all) + len(b.nodes[0].waiting); n > 1000 {
		t.Errorf("%d moments are remembered", n)
	}
	b.read(0, "item", 0, Hit, 3000, 3600*s)
	if got := b.rules(); got != "bound exact" {
		t.Errorf("found %q", got)
	}
	if c := b.Counts(); c.Judged != 3599 {
		t.Errorf("%d reads judged", c.Judged)
	}
}

func TestAViolationComesWithItsHistory(t *testing.T) {
	t.Parallel()
	b := open(t, Config{})
	b.commit(0, 2, 3*s)
	b.stored(0, 2, 3*s+10, false)
	b.applied(0, 0, 2, 4*s, false)
	b.read(0, "item", 0, Hit, 1, 5*s)
	b.Finish()
	text := b.found[0].Text()
	for _, want := range []string{"C 0:2 3000000000", "S 2 stamp 3000000010", "A wait 3999999999 4000000000 hard 0:2", "R item 0 5000000000"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
