package fleet

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of what is said.
const (
	rosterMost  = 8192
	chunkMost   = 1024
	goneMost    = 256
	maxQuestion = 64 << 10
	maxAnswer   = 1 << 20
)

// Member is a node as it tells of itself.
type Member struct {
	Node       string `json:"node"`
	Instance   string `json:"instance"` // two processes of one name are two members
	Version    string `json:"version,omitempty"`
	State      string `json:"state,omitempty"`
	Epoch      string `json:"epoch,omitempty"`
	Cursor     uint64 `json:"cursor"`
	Last       uint64 `json:"last"`
	LeaseAgeMs int64  `json:"leaseAgeMs"`
	Entries    int64  `json:"entries"`
	Bytes      int64  `json:"bytes"`
	Resets     uint64 `json:"resets"`
	GapsHealed uint64 `json:"gapsHealed"`
	HorizonMs  int64  `json:"horizonMs"` // how long it may serve what it has without renewing its lease
	EveryMs    int64  `json:"everyMs"`   // until it tells of itself again, at the latest
	SeenMs     int64  `json:"seenMs,omitempty"`
}

func (m Member) key() key { return key{m.Node, m.Instance} }

func (m Member) horizon() time.Duration {
	return time.Duration(max(m.HorizonMs, 0)) * time.Millisecond
}

// key tells members apart. The name is the one of the subject a node may speak on, so nobody says goodbye for others.
type key struct{ node, instance string }

// presence is what a node says of itself.
type presence struct {
	Member
	Gone bool `json:"gone,omitempty"` // goodbye
}

// question is a Barrier's, or without a token that of Nodes.
type question struct {
	Token  event.Token `json:"token,omitzero"`
	ForMs  int64       `json:"forMs,omitempty"`  // how long the asker will wait
	Only   []string    `json:"only,omitempty"`   // instances that have to answer; none: all
	Roster string      `json:"roster,omitempty"` // hash of the asker's: who has the same need not tell it
	Tell   bool        `json:"tell,omitempty"`   // tell the whole roster, in as many messages as it takes
	Few    int         `json:"few,omitempty"`    // about so many answers are enough, of whomever
}

// answer is one node's.
type answer struct {
	Member
	Applied  bool     `json:"applied"`
	Problem  string   `json:"problem,omitempty"`  // the token can't be waited for
	Seasoned bool     `json:"seasoned,omitempty"` // its roster can be trusted
	Hash     string   `json:"hash,omitempty"`     // of its roster
	Roster   []Member `json:"roster,omitempty"`   // node, instance, horizon, age
	Left     int      `json:"left,omitempty"`     // members that further messages tell
	Gone     []Member `json:"gone,omitempty"`     // who said goodbye
}

// read is strict about size and names, and passes over fields it does not know: a later version may say more.
func read[T any](data []byte, most int) (v T, err error) {
	if len(data) > most {
		return v, fmt.Errorf("fleet: a message of %d bytes, at most %d are read", len(data), most)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("fleet: %w", err)
	}
	return v, nil
}

// legal refuses what no node says: it would stand in rosters until its horizon has passed.
func (m Member) legal() bool {
	const longest = 10 * 365 * 24 * time.Hour
	return m.Node != "" && len(m.Node) <= 64 && m.Instance != "" && len(m.Instance) <= 64 &&
		m.HorizonMs >= 0 && m.HorizonMs <= longest.Milliseconds() && m.EveryMs >= 0 && m.EveryMs <= time.Hour.Milliseconds()
}
