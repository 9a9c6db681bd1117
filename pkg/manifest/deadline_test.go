package manifest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// lateTimer is the context of a process that stood still: its deadline has passed, and its timer has not fired yet.
type lateTimer struct{ context.Context }

func (lateTimer) Deadline() (time.Time, bool) { return time.Now().Add(-time.Minute), true }

func TestNothingIsCommittedAfterADeadlineWhoseTimerIsLate(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		must(p.store.Apply(t.Context(), robotKind("")))
		must(p.store.Apply(t.Context(), robot("m1", "")))
		if _, err := p.store.Apply(lateTimer{t.Context()}, robot("m2", "")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want %v", err, context.DeadlineExceeded)
		}
		if o := must(p.store.Get(t.Context(), "robot", "acme", "helper")); !strings.Contains(string(o.Spec), "m1") {
			t.Errorf("%s was committed", o.Spec)
		}
	})
}
