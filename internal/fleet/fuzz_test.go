package fleet

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzWire: what is said in the fleet is read or refused; what is taken for a node is bounded, and says the same again.
func FuzzWire(f *testing.F) {
	for _, s := range []string{
		`{"node":"web","instance":"i","cursor":7,"horizonMs":10000,"everyMs":3000}`, `{"node":"web","instance":"i","gone":true}`,
		`{"token":"lethe1.shop.e.7","forMs":500,"only":["i"],"roster":"h","tell":true,"few":3}`, `{"token":"lethe1..","forMs":-1}`,
		`{"node":"web","instance":"i","applied":true,"seasoned":true,"hash":"h","roster":[{"node":"a","instance":"b","horizonMs":1,"seenMs":5}],"left":1,"gone":[{}]}`,
		`{"node":"web","instance":"i","horizonMs":9223372036854775807}`, `{"node":"web","instance":"i","horizonMs":-1}`, `null`, `[]`, `{"roster":null,"unknown":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if p, err := read[presence](body, maxQuestion); err == nil && p.legal() {
			if h := p.horizon(); p.HorizonMs < 0 || h > 10*365*24*time.Hour || len(p.Node) > 64 || len(p.Instance) > 64 {
				t.Errorf("%+v is taken for a node", p)
			}
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
			for _, m := range a.Roster {
				if m.legal() && m.horizon() < 0 {
					t.Errorf("%+v is taken for a node", m)
				}
			}
		}
		if _, err := read[answer](body, len(body)-1); err == nil {
			t.Error("longer than the bound, and read")
		}
	})
}
