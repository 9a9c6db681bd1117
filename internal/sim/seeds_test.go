package sim

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// TestSeedsThatKilledMutants runs the seeds that have found a bug planted in the code the simulator drives. Each is named after
// its seed; testdata/mutants.json says which bug it was, and `make mutants` plants them again.
func TestSeedsThatKilledMutants(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/mutants.json")
	if err != nil {
		t.Fatal(err)
	}
	var mutants []struct{ Name, Run string }
	if err := json.Unmarshal(data, &mutants); err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`^\^TestSeedsThatKilledMutants\$/\^(\d+)\$$`)
	var seeds []uint64
	for _, m := range mutants {
		found := named.FindStringSubmatch(m.Run)
		if found == nil {
			t.Fatalf("%s: its tests are %q, and should be one seed", m.Name, m.Run)
		}
		seed, err := strconv.ParseUint(found[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(seeds, seed) {
			seeds = append(seeds, seed)
		}
	}
	if len(mutants) < 20 {
		t.Errorf("%d mutants: too few to say anything", len(mutants))
	}
	for _, seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			if r := New().Run(seed, Options{}); r.Violation != nil {
				t.Error(r.Violation)
			}
		})
	}
}
