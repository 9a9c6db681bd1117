package cli

import (
	"slices"
	"strings"
)

// MaxNearest is how many names are proposed.
const MaxNearest = 3

// Nearest are the names that differ from a name by a slip or two, or only before or behind a dot; the nearest first.
func Nearest(name string, names []string) []string {
	type near struct {
		name string
		far  int
	}
	var all []near
	for _, n := range names {
		far := distance(strings.ToLower(name), strings.ToLower(n))
		_, last, _ := strings.Cut(name, ".")
		_, other, _ := strings.Cut(n, ".")
		if far <= max(2, len(name)/4) || last != "" && last == other {
			all = append(all, near{n, far})
		}
	}
	slices.SortFunc(all, func(a, b near) int {
		if a.far != b.far {
			return a.far - b.far
		}
		return strings.Compare(a.name, b.name)
	})
	found := make([]string, 0, MaxNearest)
	for _, n := range all[:min(len(all), MaxNearest)] {
		found = append(found, n.name)
	}
	return found
}

// distance is how many letters have to be changed, left out, put in, or exchanged with their neighbour, to make b of a.
func distance(a, b string) int {
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(change, last[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}
