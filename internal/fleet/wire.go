package fleet

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of what is said.
const (
	rosterMost    = 8192
	instancesMost = 16 // of one name
	chunkMost     = 1024
	goneMost      = 256
	maxQuestion   = 64 << 10
	maxAnswer     = 1 << 20
	textMost      = 64                        // of a name, and of what else a member says in words
	whyMost       = 512                       // of why it is not current
	intervalMost  = time.Minute               // until a member tells of itself again
	agoMost       = 24 * time.Hour            // since it was heard of
	horizonMost   = 10 * 365 * 24 * time.Hour // of ServeStale; how much of it counts, the stream's metadata says
)

// Member is a node as it tells of itself.
type Member struct {
	Node       string `json:"node"`
	Instance   string `json:"instance"` // two processes of one name are two members
	Version    string `json:"version,omitempty"`
	State      string `json:"state,omitempty"`
	Why        string `json:"why,omitempty"`     // why it is not current
	SinceMs    int64  `json:"sinceMs,omitempty"` // how long it has been current, or has not
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
	Duplicates int    `json:"duplicates,omitempty"` // other living nodes of its name, as far as it has heard
	Vanished   bool   `json:"-"`                    // of what Nodes returns: it fell silent without a goodbye, and nobody waits for it
}

func (m Member) key() key { return key{m.Node, m.Instance} }

// horizon is as far as it counts: nobody serves longer than the fleet's longest, which a node raises before it stores
// anything. 0 = that is not known.
func (m Member) horizon(longest time.Duration) time.Duration {
	h := time.Duration(m.HorizonMs) * time.Millisecond
	if longest > 0 {
		h = min(h, longest)
	}
	return h
}

// every is how long it may be silent.
func (m Member) every() time.Duration {
	return max(time.Duration(m.EveryMs)*time.Millisecond, everyLeast)
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
	Absent   []Member `json:"absent,omitempty"`   // who fell silent without: to be shown, not to be waited for
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

// legal refuses names that no node has. A name stands in rosters, log lines and tables.
func (m Member) legal() bool { return word(m.Node) && word(m.Instance) }

func word(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= textMost
}

// clamped is m with nothing in it that could hold others up, or fill their memory. The horizon is not cut to the fleet's here:
// a node may tell of a longer one before the stream does. Where it counts, it counts up to the fleet's.
func (m Member) clamped() Member {
	m.HorizonMs = min(max(m.HorizonMs, 0), horizonMost.Milliseconds())
	m.EveryMs = min(max(m.EveryMs, 0), intervalMost.Milliseconds())
	m.SeenMs = min(max(m.SeenMs, 0), agoMost.Milliseconds())
	m.LeaseAgeMs = max(m.LeaseAgeMs, 0)
	m.Duplicates = min(max(m.Duplicates, 0), instancesMost)
	m.SinceMs = max(m.SinceMs, 0)
	m.Version, m.State, m.Epoch, m.Why = clip(m.Version, textMost), clip(m.State, textMost), clip(m.Epoch, textMost), clip(m.Why, whyMost)
	return m
}

// clip returns a copy of the first most bytes of s where it has more, without what is no printable ASCII.
func clip(s string, most int) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), most)])
}
