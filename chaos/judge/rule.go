package judge

import (
	"fmt"
	"time"
)

// judge holds one read against every rule; with the lock held.
func (j *Judge) judge(n *nodePast, r Read) {
	k := &j.keys[r.Key]
	j.counts.read(r)
	n.applied[r.Key].reads.add(r)
	j.windowRead(n, r)

	applied, stored := n.applied[r.Key].all, k.seen
	if r.Outcome == Stale {
		applied, stored = n.applied[r.Key].hard, k.hard
	}
	if at, ok := applied.newer(r.Version); ok && at < r.Begin {
		j.violate("exact", n, r, fmt.Sprintf("the node had applied a newer version %v before the read began", time.Duration(r.Begin-at)))
	}
	if r.Version < r.Need {
		j.violate("exact", n, r, fmt.Sprintf("the read came with a token of version %d", r.Need))
	}
	bound := j.cfg.Bounds[n.node]
	if r.Outcome == Stale {
		bound += j.cfg.Limits[r.Func]
	}
	if at, ok := stored.newer(r.Version); ok && at < r.Begin {
		age := time.Duration(r.Begin - at)
		j.counts.age(r.Outcome, age)
		if age > bound {
			j.violate("bound", n, r, fmt.Sprintf("the stream had a newer version %v before the read began; the bound is %v", age, bound))
		}
	}
	if at, ok := k.stamp.newer(r.Version); ok && r.Outcome != Stale && time.Duration(r.Begin-at) > bound {
		j.counts.LateCommits++
	}
	if at, ok := k.done.newer(r.Version); ok && r.Outcome == Bypass && !j.cfg.Composite[r.Func] && at < r.Begin {
		j.violate("fresh", n, r, fmt.Sprintf("a newer version was committed %v before the read began, and it bypassed", time.Duration(r.Begin-at)))
	}
	if newest := k.begun.before(r.End + 1); r.Version > newest {
		j.violate("future", n, r, fmt.Sprintf("the newest version begun is %d", newest))
	}
}

func (j *Judge) violate(rule string, n *nodePast, r Read, why string) {
	j.counts.Violations++
	if len(j.found) >= 100 {
		return // a broken run says the same thing over and over
	}
	j.found = append(j.found, Violation{Rule: rule, Node: n.node, Read: r, Why: why, History: j.slice(n, r.Key)})
}
