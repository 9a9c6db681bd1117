package suite

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Read returns what raw data, as Run has written it, has to say of q.
func Read(raw io.Reader, q Question) ([]Result, error) {
	var results []Result
	lines := bufio.NewScanner(raw)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		name := strings.SplitN(strings.TrimSpace(fields[0]), "/", 3)
		if len(fields) < 3 || len(name) != 3 || name[0] != "Benchmark"+q.ID {
			continue
		}
		s := Sample{}
		for _, f := range fields[2:] {
			number, unit, ok := strings.Cut(f, " ")
			x, err := strconv.ParseFloat(number, 64)
			if !ok || err != nil {
				return nil, fmt.Errorf("raw data: %q is no figure with a unit", f)
			}
			s[unword(unit)] = x
		}
		results = put(results, unword(name[1]), unword(name[2]), s)
	}
	return results, lines.Err()
}

func put(results []Result, of, contender string, s Sample) []Result {
	i := slices.IndexFunc(results, func(r Result) bool { return r.Case == of })
	if i < 0 {
		results = append(results, Result{Case: of, Samples: map[string][]Sample{}})
		i = len(results) - 1
	}
	r := &results[i]
	if r.Samples[contender] == nil {
		r.Contenders = append(r.Contenders, contender)
	}
	r.Samples[contender] = append(r.Samples[contender], s)
	return results
}
