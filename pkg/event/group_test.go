package event_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
)

// TestGroupsFitAndLeaveNothingOut: whatever targets, each group is one event, and together they say all that was asked.
func TestGroupsFitAndLeaveNothingOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hardOf := map[event.Target]event.Target{} // by what is soft
		targets := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event.Target {
			hard := drawHard(t)
			if rapid.Bool().Draw(t, "hard") {
				return hard
			}
			hardOf[hard.Soft()] = hard
			return hard.Soft()
		}), 0, 30).Draw(t, "targets")
		for range rapid.IntRange(0, 40).Draw(t, "large") {
			targets = append(targets, event.Key("f", strings.Repeat("x", rapid.IntRange(1, 20000).Draw(t, "n"))))
		}
		groups, err := event.Group(targets...)
		if err != nil {
			t.Fatal(err)
		}
		said := map[event.Target]int{}
		for _, g := range groups {
			m, err := event.Encode("shop", event.Event{Source: "/" + strings.Repeat("s", 6000), Reason: strings.Repeat("\x01", 1024), Targets: g})
			if err != nil || m.Subject != event.LogSubject("shop", g[0].Subject()) {
				t.Fatal(err)
			}
			for _, target := range g {
				said[target]++
			}
		}
		for _, target := range targets {
			if said[target] != 1 && (!target.IsSoft() || said[hardOf[target]] != 1) {
				t.Fatalf("%v is said %d times", target, said[target])
			}
		}
	})
}

func TestGroupsAreInOrderAndAsFewAsFit(t *testing.T) {
	t.Parallel()
	big := event.Key("f", strings.Repeat("x", event.MaxTargets/2))
	huge := event.Key("f", strings.Repeat("y", event.MaxKey-4))
	groups, err := event.Group(event.Tag("b:1").Soft(), event.Function("f"), event.Tag("a:1"), event.Tag("b:2"), event.Tag("b:1"), event.Tag("b:2"), big, huge, big.Hashed())
	want := [][]event.Target{{event.Function("f"), big}, {event.Tag("a:1")}, {event.Tag("b:2"), event.Tag("b:1")}, {huge, big.Hashed()}}
	if err != nil || len(groups) != len(want) {
		t.Fatalf("%d groups, %v", len(groups), err)
	}
	for i := range want {
		if len(groups[i]) != len(want[i]) {
			t.Fatalf("group %d: %.200v, want %.200v", i, groups[i], want[i])
		}
		for j := range want[i] {
			if groups[i][j] != want[i][j] {
				t.Errorf("group %d: %.200v, want %.200v", i, groups[i], want[i])
			}
		}
	}
	if groups, err := event.Group(event.All(), event.Tag("nonsense")); !errors.Is(err, event.ErrInvalid) || groups != nil || !strings.Contains(err.Error(), "targets[1].tag") {
		t.Errorf("%v, %v", groups, err)
	}
	if groups, err := event.Group(); err != nil || groups != nil {
		t.Errorf("%v, %v", groups, err)
	}
}
