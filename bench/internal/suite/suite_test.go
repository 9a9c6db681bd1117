package suite

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// question has contenders whose figures are known.
func question(figures map[string][]float64, bars ...Bar) Question {
	return Question{
		ID: "q", Title: "A question", About: "What is measured.", Unit: "us", Bars: bars,
		Cases: []Case{{Name: "a case", Open: func(_ context.Context, e *Env) ([]Contender, error) {
			e.Defer(func() error { return nil })
			var cs []Contender
			for _, name := range []string{"lethe", "peer"} {
				i := -1 // the round that warms up has a figure of its own
				cs = append(cs, Contender{Name: name, Run: func(context.Context) (Sample, error) {
					i++
					return Sample{"us": figures[name][i], "allocs/op": 2}, nil
				}})
			}
			return cs, nil
		}}},
	}
}

func ask(t *testing.T, q Question, rounds int) (table, raw string, results []Result) {
	t.Helper()
	var r, w strings.Builder
	results, err := Run(t.Context(), q, false, rounds, "", &r)
	if err != nil {
		t.Fatal(err)
	}
	Report(&w, q, results)
	return w.String(), r.String(), results
}

func TestATableHasMediansRangesAndRatiosOfTheSameRound(t *testing.T) {
	t.Parallel()
	q := question(map[string][]float64{"lethe": {999, 10, 40, 30}, "peer": {1, 10, 20, 60}}, Bar{Of: "lethe", To: "peer", Bound: 1})
	table, raw, _ := ask(t, q, 3)
	for _, want := range []string{
		"| a case | lethe | 30.0 (10.0-40.0) | 1.00 (0.50-2.00) | 2.00 allocs/op |",
		"| a case | peer | 20.0 (10.0-60.0) | 1.00 (1.00-1.00) | 2.00 allocs/op |",
		"lethe at most 1.00 x peer: reached (1.00)",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table has no %q:\n%s", want, table)
		}
	}
	if n := strings.Count(raw, "\n"); n != 6 || !strings.HasPrefix(raw, "Benchmarkq/a_case/lethe \t1\t10 us\t2 allocs/op\n") {
		t.Errorf("%d lines of raw data, want 6, the first of lethe:\n%s", n, raw)
	}
}

func TestABarIsMissedWhereItIs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		bar    Bar
		higher bool
		want   string
	}{
		{Bar{Of: "lethe", To: "peer", Bound: 1.9}, false, "at most 1.90 x peer: **missed** (2.00)"},
		{Bar{Of: "lethe", To: "peer", Bound: 2}, false, "reached"},
		{Bar{Of: "lethe", To: "peer", Bound: 2.1}, true, "at least 2.10 x peer: **missed**"},
		{Bar{Of: "lethe", To: "peer", Bound: 1.5}, true, "reached"},
		{Bar{Of: "lethe", Bound: 19}, false, "at most 19.0 us: **missed** (20.0)"},
		{Bar{Of: "lethe", Bound: 0, Unit: "allocs/op"}, false, "at most 0 allocs/op: **missed** (2.00)"},
	} {
		q := question(map[string][]float64{"lethe": {1, 20, 20}, "peer": {1, 10, 10}}, tc.bar)
		q.Higher = tc.higher
		if table, _, _ := ask(t, q, 2); !strings.Contains(table, tc.want) {
			t.Errorf("%+v: no %q in\n%s", tc.bar, tc.want, table)
		}
	}
}

func TestAContenderThatFailsOrSaysNothingEndsTheQuestion(t *testing.T) {
	t.Parallel()
	closed := 0
	for _, s := range []Sample{nil, {"ms": 1}} {
		q := question(nil)
		q.Cases[0].Open = func(_ context.Context, e *Env) ([]Contender, error) {
			e.Defer(func() error { closed++; return nil })
			return []Contender{{Name: "lethe", Run: func(context.Context) (Sample, error) {
				if s == nil {
					return nil, errors.New("no")
				}
				return s, nil
			}}}, nil
		}
		if _, err := Run(t.Context(), q, false, 1, "", &strings.Builder{}); err == nil {
			t.Errorf("%v: no error", s)
		}
	}
	if closed != 2 {
		t.Errorf("%d of 2 cases were closed", closed)
	}
}

func TestEveryQuestionHasAChart(t *testing.T) {
	t.Parallel()
	q := question(map[string][]float64{"lethe": {1, 10, 12}, "peer": {1, 900, 1000}})
	_, _, results := ask(t, q, 2)
	file := filepath.Join(t.TempDir(), "q.png")
	if err := Chart(file, q, results); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	drawn, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	red := 0 // Lethe's own colour
	for y := range drawn.Bounds().Dy() {
		for x := range drawn.Bounds().Dx() {
			if r, g, b, _ := drawn.At(x, y).RGBA(); r > 0xb000 && g < 0x3000 && b < 0x3000 {
				red++
			}
		}
	}
	if red < 20 {
		t.Errorf("%d pixels of Lethe's", red)
	}
}

func TestTimeCountsWhatIsAllocated(t *testing.T) {
	var kept []*[512]byte
	s := Time(&Env{Quick: true}, func(n int) {
		for range n {
			kept = append(kept[:0], new([512]byte))
		}
	})
	if s["allocs/op"] < 0.9 || s["allocs/op"] > 1.5 || s["B/op"] < 500 || s["ns/op"] <= 0 {
		t.Error(fmt.Sprint(s))
	}
	_ = kept
}

func TestRawDataTellAllThatTheTablesDo(t *testing.T) {
	t.Parallel()
	q := question(map[string][]float64{"lethe": {1, 10, 12.5}, "peer": {1, 900, 1e6}}, Bar{Of: "lethe", To: "peer", Bound: 1})
	table, raw, _ := ask(t, q, 2)
	again, err := Read(strings.NewReader("goos: linux\n"+raw+"Benchmarkother/a_case/lethe \t1\t3 us\n"), q)
	if err != nil {
		t.Fatal(err)
	}
	var w strings.Builder
	Report(&w, q, again)
	if w.String() != table {
		t.Errorf("from raw data:\n%s\nwas:\n%s", &w, table)
	}
	if _, err := Read(strings.NewReader("Benchmarkq/a_case/lethe \t1\tmany us\n"), q); err == nil {
		t.Error("no error for what is no figure")
	}
}
