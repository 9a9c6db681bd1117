package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

func TestTheTableOfNodesShowsANameThatSeveralBear(t *testing.T) {
	t.Parallel()
	one := ctl.Member{Status: ctl.Status{Node: "web-1", State: "current", Epoch: "e", Duplicates: 1}}
	other := ctl.Member{Status: ctl.Status{Node: "web-2", State: "current", Epoch: "e"}}
	rows, names := nodeTable([]ctl.Member{one, one, other})
	cells := func(row string) []string { return strings.Split(row, "\t") }
	for i, want := range []string{"NODE", "web-1 (2 instances!)", "web-1 (2 instances!)", "web-2"} {
		if got := cells(rows[i]); got[0] != want || len(got) != len(cells(rows[0])) {
			t.Errorf("row %d: %q", i, got)
		}
	}
	if !slices.Equal(names, []string{"web-1", "web-1", "web-2"}) {
		t.Errorf("-o name says %q", names)
	}
}
