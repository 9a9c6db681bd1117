package lethetest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// recorder is a test whose failures and cleanups are kept.
type recorder struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestAChangedValueFailsTheTest(t *testing.T) {
	t.Parallel()
	for i := range 4 { // whether a value is watched is for the key's hash to say
		r := &recorder{TB: t}
		n := lethetest.Fleet(r, 1)[0]
		load := func(context.Context, int) ([]string, error) { return []string{"b", "a"}, nil }
		changed, read := lethe.Memoize(n, "changed", load), lethe.Memoize(n, "read", load)
		own := lethe.Memoize(n, "own", load, lethe.WithoutHot())
		for _, f := range []*lethe.Func[int, []string]{changed, read, own} {
			v, err := f.Get(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			if f != read {
				v[0] = "changed"
			}
		}
		for len(r.cleanups) > 0 {
			last := len(r.cleanups) - 1
			f := r.cleanups[last]
			r.cleanups = r.cleanups[:last]
			f()
		}
		if len(r.failures) != 1 || !strings.Contains(r.failures[0], "a value of changed,") {
			t.Fatalf("failures: %q, want one that names the function", r.failures)
		}
	}
}
