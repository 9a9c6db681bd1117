package ctl

import "testing"

func TestWhatIsNotKnownOfAnOutboxIsShownAsAQuestionMark(t *testing.T) {
	t.Parallel()
	none, two, one := 0, 2, 1
	age := int64(63_000)
	for want, o := range map[string]*Outbox{
		"-":           nil,
		"0":           {Depth: &none, Parked: &none, OldestMs: new(int64)},
		"2 (1m3s)":    {Depth: &two, Parked: &none, OldestMs: &age},
		"0 +1 parked": {Depth: &none, Parked: &one, OldestMs: new(int64)},
		"?":           {Error: "the database does not answer"},
		"? (1m3s)":    {OldestMs: &age, Error: "the database does not answer"},
	} {
		if got := o.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
