package suite

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
)

// Report writes q's table as Markdown. Ratios are to the contender of the bars, else to the first.
func Report(w io.Writer, q Question, results []Result) {
	fmt.Fprintf(w, "### %s\n\n%s\n\n", q.Title, q.About)
	ref := reference(q)
	fmt.Fprintf(w, "| | | %s, median (min-max) | to %s, median (min-max) | also |\n|---|---|---|---|---|\n", q.Unit, or(ref, "the first"))
	for _, r := range results {
		to := ref
		if r.Samples[to] == nil {
			to = r.Contenders[0]
		}
		for _, name := range r.Contenders {
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", r.Case, name, spread(r.figures(name, q.Unit)), spread(r.ratios(name, to, q.Unit)), r.also(name, q.Unit))
		}
	}
	fmt.Fprintln(w)
	for _, b := range q.Bars {
		b.report(w, q, results)
	}
	fmt.Fprintln(w)
}

func reference(q Question) string {
	for _, b := range q.Bars {
		if b.Unit == "" && b.To != "" {
			return b.To
		}
	}
	return ""
}

// report says whether a bar is reached, by how much, and where not.
func (b Bar) report(w io.Writer, q Question, results []Result) {
	unit, relation := or(b.Unit, q.Unit), "at most"
	if q.Higher {
		relation = "at least"
	}
	for _, r := range results {
		if b.Case != "" && b.Case != r.Case || r.Samples[b.Of] == nil {
			continue
		}
		xs, what := r.figures(b.Of, unit), fmt.Sprintf("%s %s %s", relation, figure(b.Bound), unit)
		if b.To != "" {
			xs, what = r.ratios(b.Of, b.To, unit), fmt.Sprintf("%s %s x %s", relation, figure(b.Bound), b.To)
		}
		m := Median(xs)
		verdict := "reached"
		if m > b.Bound != q.Higher && m != b.Bound {
			verdict = "**missed**"
		}
		fmt.Fprintf(w, "* %s: %s %s: %s (%s)\n", r.Case, b.Of, what, verdict, figure(m))
	}
}

func (r Result) figures(name, unit string) []float64 {
	xs := make([]float64, 0, len(r.Samples[name]))
	for _, s := range r.Samples[name] {
		xs = append(xs, s[unit])
	}
	return xs
}

// ratios are those of the same round.
func (r Result) ratios(of, to, unit string) []float64 {
	a, b := r.figures(of, unit), r.figures(to, unit)
	xs := make([]float64, min(len(a), len(b)))
	for i := range xs {
		xs[i] = a[i] / b[i]
	}
	return xs
}

// also has the medians of the other units.
func (r Result) also(name, unit string) string {
	if len(r.Samples[name]) == 0 {
		return ""
	}
	var others []string
	for _, u := range slices.Sorted(maps.Keys(r.Samples[name][0])) {
		if u != unit {
			others = append(others, figure(Median(r.figures(name, u)))+" "+u)
		}
	}
	return strings.Join(others, "; ")
}

func spread(xs []float64) string {
	if len(xs) == 0 {
		return "-"
	}
	return fmt.Sprintf("%s (%s-%s)", figure(Median(xs)), figure(slices.Min(xs)), figure(slices.Max(xs)))
}

// figure has three digits that count, or all of a whole number.
func figure(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "-"
	case a >= 1e6:
		return fmt.Sprintf("%.2f M", x/1e6)
	case a >= 100 || a < 1e-9:
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	case a >= 0.01:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.4f", x)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
