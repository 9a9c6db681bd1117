package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// short is a run of a few seconds with what the arguments add. Runs take the whole machine, so they are not parallel.
func short(t *testing.T, args ...string) (said, history string, r report, err error) {
	t.Helper()
	dir := t.TempDir()
	var out bytes.Buffer
	reportFile, historyFile := filepath.Join(dir, "report.json"), filepath.Join(dir, "history.txt")
	err = drive(t.Context(), append([]string{"-nodes", "3", "-for", "6s", "-report", reportFile, "-history", historyFile}, args...), &out)
	if b, err := os.ReadFile(reportFile); err == nil {
		if err := json.Unmarshal(b, &r); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(historyFile); err == nil {
		history = string(b)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "lethe-chaos-*")); len(left) > 0 {
		t.Errorf("the run left %v", left)
	}
	return out.String(), history, r, err
}

func TestARunOfAnHonestFleetKeepsEveryPromise(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	said, history, r, err := short(t, "-faults", "stepdown,latency,kill-node,freeze-node")
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, said, history)
	}
	if r.Judge.Judged < 500 || r.Acked < 20 || r.Judge.Applied["wait"] < 20 || r.Judge.Checked < 500 || r.Logged < r.Acked {
		t.Errorf("this run shows nothing: %+v", r)
	}
	if r.Judge.Violations != 0 || int64(r.Acked) != r.Writes {
		t.Errorf("%d violations; %d of %d writes acknowledged", r.Judge.Violations, r.Acked, r.Writes)
	}
}

func TestRowsAreAnnouncedWithinSecondsOfEveryOutage(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	said, history, r, err := short(t, "-faults", "none", "-databases", "sqlite,postgres", "-outages", "2s-4s", "-for", "15s")
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, said, history)
	}
	b := r.Brokers
	if b == nil || b.Outages < 1 || b.Applied < 50 || b.Announced < 50 || b.Judge.Judged < 100 || b.Judge.Applied["wait"] < 10 {
		t.Errorf("this run shows nothing: %+v", b)
	}
}

func TestARunWhoseRelaysGiveUpFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	said, history, _, err := short(t, "-faults", "none", "-databases", "sqlite", "-outages", "2s", "-sabotage", "stuck", "-for", "12s", "-settle", "5s")
	if !errors.Is(err, errViolated) {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, want := range []string{"rows: ", "unannounced: ", "was committed and is not in the log"} {
		if !strings.Contains(history, want) {
			t.Errorf("the history does not say %q:\n%s", want, history)
		}
	}
}

func TestTheLengthsOfOutages(t *testing.T) {
	for text, want := range map[string]span{
		"": {5 * time.Second, 12 * time.Second}, "none": {}, "5s-2m": {5 * time.Second, 2 * time.Minute}, "3s": {3 * time.Second, 3 * time.Second},
	} {
		if got, err := parseSpan(text, time.Minute); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	if hour, _ := parseSpan("", time.Hour); hour != (span{5 * time.Second, 2 * time.Minute}) {
		t.Errorf("an hour: %+v", hour)
	}
	for _, text := range []string{"5", "2m-5s", "-5s", "0s", "5s-"} {
		if got, err := parseSpan(text, time.Minute); err == nil || !strings.Contains(err.Error(), "-outages") {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	s, r := span{5 * time.Second, 2 * time.Minute}, rand.New(rand.NewPCG(1, 2))
	short, long := 0, 0
	for range 1000 {
		d := s.pick(r)
		if d < s.least || d > s.most {
			t.Fatalf("an outage of %v", d)
		}
		if d < 15*time.Second {
			short++
		}
		if d > time.Minute {
			long++
		}
	}
	if short < 50 || long < 50 {
		t.Errorf("of 1000 outages %d are short and %d long", short, long)
	}
}

func TestARunWhoseLoadersLieFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	said, history, r, err := short(t, "-faults", "none", "-sabotage", "old", "-lies", "20000")
	if !errors.Is(err, errViolated) || r.Judge.Violations == 0 {
		t.Fatalf("%v, %d violations\n%s", err, r.Judge.Violations, said)
	}
	for _, want := range []string{"exact: node", "A wait", "faults:"} {
		if !strings.Contains(history, want) {
			t.Errorf("the history does not say %q:\n%s", want, history)
		}
	}
}

func TestARunThatLosesWhatItAcknowledgedFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	said, history, r, err := short(t, "-faults", "none", "-sabotage", "lost")
	if !errors.Is(err, errViolated) || len(r.Lost) == 0 {
		t.Fatalf("%v, lost %v\n%s", err, r.Lost, said)
	}
	if !strings.Contains(history, "not in the log") && !strings.Contains(history, "does not name") {
		t.Errorf("the history does not say what was lost:\n%s", history)
	}
}
