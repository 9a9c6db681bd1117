package judge

import (
	"testing"

	"pgregory.net/rapid"
)

// It is held against a plain list of everything that was ever added.
func TestTheNewestVersionOfAMomentIsFoundInWhateverOrderItWasTold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r rising
		marks := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mark {
			return mark{rapid.Int64Range(0, 20).Draw(t, "at"), rapid.Int64Range(1, 20).Draw(t, "version")}
		}), 0, 30).Draw(t, "marks")
		for _, m := range marks {
			r.add(m.at, m.version)
		}
		at := rapid.Int64Range(0, 22).Draw(t, "asked at")
		version := rapid.Int64Range(0, 21).Draw(t, "asked version")
		var newest, first int64
		found := false
		for _, m := range marks {
			if m.at < at {
				newest = max(newest, m.version)
			}
			if m.version > version && (!found || m.at < first) {
				first, found = m.at, true
			}
		}
		if got := r.before(at); got != newest {
			t.Fatalf("before %d: %d, want %d of %v", at, got, newest, r)
		}
		if got, ok := r.newer(version); ok != found || found && got != first {
			t.Fatalf("newer than %d: %d %v, want %d %v of %v", version, got, ok, first, found, r)
		}
		r.forget(at)
		if got := r.before(at); got != newest {
			t.Fatalf("forgetting up to %d changed what was before it: %d, want %d", at, got, newest)
		}
	})
}
