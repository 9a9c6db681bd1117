package fleet

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// bounded: nothing that a member says of itself is larger than what a node says, or could overflow what is reckoned with it.
func bounded(t *testing.T, m Member) {
	t.Helper()
	if m.HorizonMs < 0 || m.horizon(0) > horizonMost || m.EveryMs < 0 || m.every() > time.Minute || m.SeenMs < 0 || m.SeenMs > hour.Milliseconds()*24 ||
		len(m.Node) > 64 || len(m.Instance) > 64 || len(m.Version) > 64 || len(m.State) > 64 || len(m.Epoch) > 64 || m.Duplicates < 0 {
		t.Errorf("%+v is taken for a node", m)
	}
	for _, text := range []string{m.Node, m.Instance, m.Version, m.State, m.Epoch} {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%+v would go into a log as it is", m)
		}
	}
}

// holdsNobodyUp: whatever it says, a member that falls silent is forgotten within minutes, where the fleet serves for ten seconds.
func holdsNobodyUp(t *testing.T, m Member) {
	t.Helper()
	var r roster
	r.hear(m, hour)
	r.tell(m, hour, time.Duration(m.SeenMs)*time.Millisecond)
	if len(r.members) != 1 || r.members[m.key()].heard > hour {
		t.Errorf("%+v is not in the roster: %+v", m, r.members)
	}
	r.lapse(hour+3*time.Minute+1, 10*time.Second)
	if len(r.members) != 0 || len(r.names) != 0 {
		t.Errorf("%+v stays in the roster", m)
	}
}

// FuzzWire: what is said in the fleet is read or refused; what is taken for a node is bounded, and says the same again.
func FuzzWire(f *testing.F) {
	for _, s := range []string{
		`{"node":"web","instance":"i","cursor":7,"horizonMs":10000,"everyMs":3000}`, `{"node":"web","instance":"i","gone":true}`,
		`{"token":"lethe1.shop.e.7","forMs":500,"only":["i"],"roster":"h","tell":true,"few":3}`, `{"token":"lethe1..","forMs":-1}`,
		`{"node":"web","instance":"i","applied":true,"seasoned":true,"hash":"h","roster":[{"node":"a","instance":"b","horizonMs":1,"seenMs":5}],"left":1,"gone":[{}]}`,
		`{"node":"web","instance":"i","horizonMs":9223372036854775807,"everyMs":9223372036854775807,"seenMs":9223372036854775807}`,
		`{"node":"web","instance":"i","everyMs":-9223372036854775808,"seenMs":-1,"leaseAgeMs":-1,"version":"\u0000\n\u202e"}`, `{"node":"we b","instance":"\n"}`, `{"node":"web","instance":"i","horizonMs":-1}`, `null`, `[]`, `{"roster":null,"unknown":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if p, err := read[presence](body, maxQuestion); err == nil && p.legal() {
			bounded(t, p.clamped())
			holdsNobodyUp(t, p.Member)
			again, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if q, err := read[presence](again, 10*maxQuestion); err != nil || q != p {
				t.Errorf("%s is %+v again, not %+v (%v)", again, q, p, err)
			}
		}
		if q, err := read[question](body, maxQuestion); err == nil && !q.Token.IsZero() {
			again, err := json.Marshal(q)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := read[question](again, 10*maxQuestion); err != nil || r.Token != q.Token || r.ForMs != q.ForMs || len(r.Only) != len(q.Only) {
				t.Errorf("%s asks for %+v, not %+v (%v)", again, r, q, err)
			}
		}
		if a, err := read[answer](body, maxAnswer); err == nil {
			p := newPoll(hour, []Member{member("a")}, true, false)
			p.longest = 10 * time.Second
			p.take(a)
			for _, v := range p.voters {
				bounded(t, v.Member)
				if u := p.until(v); u < hour || u > hour+p.longest {
					t.Errorf("%+v is waited for until %v", v, u)
				}
			}
		}
		if _, err := read[answer](body, len(body)-1); err == nil {
			t.Error("longer than the bound, and read")
		}
	})
}
