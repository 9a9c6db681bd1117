package judge

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestALineIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := Read{
			Func: rapid.StringMatching(`[a-z.]+`).Draw(t, "func"), Key: rapid.IntRange(0, 1000).Draw(t, "key"),
			Begin: rapid.Int64().Draw(t, "begin"), End: rapid.Int64().Draw(t, "end"),
			Outcome: Outcome(rapid.StringMatching(`[a-z]+`).Draw(t, "outcome")),
			Need:    rapid.Int64().Draw(t, "need"), Version: rapid.Int64().Draw(t, "version"),
		}
		if got, err := ParseRead(string(AppendRead(nil, r))); err != nil || got != r {
			t.Fatalf("%+v, %v, want %+v", got, err, r)
		}
		a := Applied{How: "wait", Begin: r.Begin, End: r.End, Soft: rapid.Bool().Draw(t, "soft"), Covers: []Cover{{r.Key, r.Version}, {1, 2}}}
		if got, err := ParseApplied(string(AppendApplied(nil, a))); err != nil || !reflect.DeepEqual(got, a) {
			t.Fatalf("%+v, %v, want %+v", got, err, a)
		}
	})
}

func TestALineCutOffIsAnError(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"", "R", "R item 1 2 3 hit 0", "R item x 2 3 hit 0 1", "A wait 1 2 hard", "A wait 1 2 hard 5", "A wait 1 2 hard 5:x"} {
		if _, err := ParseRead(line); err == nil {
			t.Errorf("%q is a read", line)
		}
		if _, err := ParseApplied(line); err == nil {
			t.Errorf("%q is something applied", line)
		}
	}
}
