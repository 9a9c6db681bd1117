package main

import (
	"bytes"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestServiceSurvivesAnOutage: without the bus the name is served stale and the stock read from the database; a write in that time
// reaches both replicas when the bus is back.
func TestServiceSurvivesAnOutage(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	rest := out.String()
	for _, line := range []string{
		`one: name "Lamp" (hit), stock 8 (hit)`, `two: name "Lamp" (hit), stock 8 (hit)`,
		"the bus is away",
		`one: name "Lamp" (stale), stock 8 (bypass)`, `two: name "Lamp" (stale), stock 8 (bypass)`,
		"sold, not announced", "renamed and committed",
		`two: name "Lamp" (stale), stock 7 (bypass)`,
		"the bus is back",
		`two: name "Desk lamp" (hit), stock 8 (hit)`, "announced again",
		`one: name "Desk lamp" (hit), stock 7 (hit)`, `two: name "Desk lamp" (hit), stock 7 (hit)`,
	} {
		_, after, found := strings.Cut(rest, line)
		if !found {
			t.Fatalf("no %q here:\n%s", line, rest)
		}
		rest = after
	}
}
