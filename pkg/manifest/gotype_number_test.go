package manifest

import (
	"encoding/json"
	"testing"
)

type rateSpec struct {
	Single  float32            `json:"single,omitempty"`
	Double  *float64           `json:"double,omitempty"`
	All     map[string]float32 `json:"all,omitempty"`
	Any     any                `json:"any,omitempty"`
	Whole   int64              `json:"whole,omitempty"`
	Missing string             `json:"missing"`
}

func TestANumberThatAGoTypeRoundsIsRefused(t *testing.T) {
	t.Parallel()
	s := typedOf(t, Kind[rateSpec]{APIVersion: "v1", Name: "Rate"})
	for _, c := range []struct{ spec, want string }{
		{`"single":0.1,"double":0.1,"whole":9007199254740993,"any":9007199254740993`, ""},
		{`"single":16777216,"double":9007199254740992,"all":{"a":1.5e-7}`, ""},
		{`"single":16777217`, "spec.single: 16777217 would be kept as 16777216 in a float32; write it with fewer digits, or in quotes where the kind has text"},
		{`"single":0.123456789`, "spec.single: 0.123456789 would be kept as 0.12345679 in a float32"},
		{`"double":9007199254740993`, "spec.double: 9007199254740993 would be kept as 9007199254740992 in a float64"},
		{`"all":{"a":1.00000001}`, "spec.all.a: 1.00000001 would be kept as 1 in a float32"},
	} {
		ready, err := s.prepare(Object{APIVersion: "v1", Kind: "Rate", Metadata: Metadata{Name: "x"}, Spec: json.RawMessage(`{"missing":"",` + c.spec + `}`)})
		if c.want != "" {
			wantRefusal(t, c.spec, err, c.want)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.spec, err)
		} else if _, err := s.prepare(ready); err != nil {
			t.Errorf("what is stored is refused: %v", err)
		}
	}
	// With what the schema finds.
	_, err := s.prepare(Object{APIVersion: "v1", Kind: "Rate", Metadata: Metadata{Name: "x"}, Spec: json.RawMessage(`{"single":16777217,"sinlge":1,"whole":"x"}`)})
	wantRefusal(t, "together", err, "spec.single: 16777217 would", "spec.sinlge: is no field here; did you mean single?", "spec.missing: is required", "spec.whole: is string")
}
