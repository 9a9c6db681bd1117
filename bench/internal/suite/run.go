package suite

import (
	"context"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Result is what a Case found: by contender its samples, one a round.
type Result struct {
	Case       string
	Contenders []string // in the order of the Case
	Samples    map[string][]Sample
}

// Run asks q, in rounds, and writes every sample to raw as a line that benchstat reads.
func Run(ctx context.Context, q Question, quick bool, rounds int, redis string, raw io.Writer) ([]Result, error) {
	if q.Rounds > 0 {
		rounds = min(rounds, q.Rounds)
	}
	var results []Result
	for _, c := range q.Cases {
		if quick && c.Full {
			continue
		}
		e := &Env{Quick: quick, Redis: redis}
		r, err := runCase(ctx, q, c, e, rounds, raw)
		if cerr := e.close(); err == nil {
			err = cerr
		}
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", q.ID, c.Name, err)
		}
		results = append(results, r)
	}
	return results, nil
}

func runCase(ctx context.Context, q Question, c Case, e *Env, rounds int, raw io.Writer) (Result, error) {
	cs, err := c.Open(ctx, e)
	if err != nil {
		return Result{}, err
	}
	r := Result{Case: c.Name, Samples: map[string][]Sample{}}
	for _, contender := range cs {
		r.Contenders = append(r.Contenders, contender.Name)
	}
	for round := -1; round < rounds; round++ { // the first warms up and does not count
		for i := range cs {
			contender := cs[(i+max(round, 0))%len(cs)] // everyone is first once: what a round leaves behind meets each in turn
			runtime.GC()
			s, err := contender.Run(ctx)
			if err != nil {
				return Result{}, fmt.Errorf("%s: %w", contender.Name, err)
			}
			if _, ok := s[q.Unit]; !ok {
				return Result{}, fmt.Errorf("%s: a sample without %s", contender.Name, q.Unit)
			}
			if round < 0 {
				continue
			}
			r.Samples[contender.Name] = append(r.Samples[contender.Name], s)
			if _, err := fmt.Fprintln(raw, line(q, c, contender, s)); err != nil {
				return Result{}, err
			}
		}
	}
	return r, nil
}

// line is one sample in the format of Go's benchmarks.
func line(q Question, c Case, contender Contender, s Sample) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Benchmark%s/%s/%s \t1", q.ID, word(c.Name), word(contender.Name))
	units := slices.Collect(maps.Keys(s))
	sort.Slice(units, func(i, j int) bool { return units[i] == q.Unit || units[j] != q.Unit && units[i] < units[j] })
	for _, u := range units {
		b.WriteString("\t" + strconv.FormatFloat(s[u], 'g', 8, 64) + " " + word(u))
	}
	return b.String()
}

// word makes one of a name, and is undone by unword.
func word(s string) string { return strings.ReplaceAll(s, " ", "_") }

func unword(s string) string { return strings.ReplaceAll(s, "_", " ") }

func sorted(xs []float64) []float64 {
	xs = slices.Clone(xs)
	slices.Sort(xs)
	return xs
}
