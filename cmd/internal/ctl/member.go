package ctl

import (
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// States of a member that did not answer: it is known of and waited for, or fell silent without a goodbye so long ago that nobody waits
// for it.
const (
	Silent = "silent"
	Gone   = "gone"
)

// Member is a node as the fleet knows it, in JSON.
type Member struct {
	Status
	Behind uint64 `json:"behind"` // events that somebody of its epoch knows of and it has not applied
	SeenMs int64  `json:"seenMs"` // since it last gave a sign of life; 0: it has answered
}

// Report says who has applied a token and who is waited for, in JSON. A member in Applied whose state is expired has not
// answered, but can no longer serve anything older.
type Report struct {
	Applied []Member `json:"applied"`
	Pending []Member `json:"pending"`
}

// Members is what Node.Nodes returned.
func Members(nodes []lethe.NodeStatus) []Member {
	all := silence(members(nodes, ends(nodes)))
	for i, n := range nodes {
		if n.Gone {
			all[i].State = Gone
		}
	}
	return all
}

// ReportOf is what Node.Barrier returned.
func ReportOf(r lethe.Report) Report {
	last := ends(r.Applied, r.Pending)
	return Report{Applied: members(r.Applied, last), Pending: silence(members(r.Pending, last))}
}

// ends is the highest sequence anybody knows of, by epoch.
func ends(lists ...[]lethe.NodeStatus) map[string]uint64 {
	last := map[string]uint64{}
	for _, nodes := range lists {
		for _, n := range nodes {
			last[n.Epoch] = max(last[n.Epoch], n.Last, n.Cursor)
		}
	}
	return last
}

func members(nodes []lethe.NodeStatus, last map[string]uint64) []Member {
	all := make([]Member, 0, len(nodes))
	for _, n := range nodes {
		m := Member{Status: statusOf(n.Status, event.Token{}, n.Version), SeenMs: n.Seen.Milliseconds()}
		if n.Epoch != "" {
			m.Position = event.NewToken(n.Fleet, n.Epoch, n.Cursor)
			m.Behind = last[n.Epoch] - n.Cursor
		}
		all = append(all, m)
	}
	return all
}

// silence gives those who did not answer that state: what they told earlier may be long past.
func silence(all []Member) []Member {
	for i := range all {
		if all[i].SeenMs > 0 {
			all[i].State, all[i].Why, all[i].SinceMs = Silent, "", 0
		}
	}
	return all
}
