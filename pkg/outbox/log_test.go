package outbox_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func TestTheLogOfARelayHasABudget(t *testing.T) {
	t.Parallel()
	e := engines()[0]
	_, db := e.fresh(t)
	var out bytes.Buffer
	r, err := outbox.StartRelay(t.Context(), db, settle(t, connect(t, serve(t))), outbox.RelayConfig{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil { // nobody else writes
		t.Fatal(err)
	}
	out.Reset()
	for range 1000 {
		r.Log().Error("a row", "error", strings.Repeat("x\n", 4096))
	}
	if lines := strings.Count(out.String(), "\n"); lines == 0 || lines > 31 || out.Len() > 31*1024 {
		t.Errorf("%d lines, %d bytes", lines, out.Len())
	}
}

// A database that goes and comes back is two lines that can be counted, each by its event.
func TestTheLogSaysThatTheDatabaseIsLostAndThatItIsBack(t *testing.T) {
	t.Parallel()
	e := engines()[0]
	_, db := e.fresh(t)
	said := &lines{}
	r, err := outbox.StartRelayWith(t.Context(), db, settle(t, connect(t, serve(t))), outbox.RelayConfig{Logger: slog.New(said)},
		outbox.Times{Beat: 20 * time.Millisecond, Look: 20 * time.Millisecond}, outbox.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	mustWait(t, r, e.write(t, db, true, event.Tag("user:1")))
	var all []string
	said.take()
	seen := func(parts ...string) int {
		all = append(all, said.take()...)
		n := 0
		for _, line := range all {
			if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
				n++
			}
		}
		return n
	}
	run(t, db, "ALTER TABLE lethe_outbox RENAME TO elsewhere")
	eventually(t, "it is lost", func() bool { return seen("WARN", "event=database_lost", "no such table") == 1 })
	run(t, db, "ALTER TABLE elsewhere RENAME TO lethe_outbox")
	eventually(t, "it is back", func() bool { return seen("INFO", "event=database_back", "gone_for=") == 1 })
	if n := seen("event=database_lost"); n != 1 {
		t.Errorf("lost %d times: %q", n, all)
	}
}
