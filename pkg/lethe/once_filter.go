package lethe

import (
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// subjectsMost bounds the subjects of one consumer; over it the class is asked for as a whole, and the node sorts out.
const subjectsMost = 64

// subjects of the log, below the fleet's prefix, that may hold what passes the filters. It is never less than that, never the ticks,
// and no two of them overlap. What is finer is left to passes.
func (r *receiver) subjects() []string {
	manifests := []string{"manifest.*.applied", "manifest.*.deleted"}
	for i, t := range []string{event.TypeManifestApplied, event.TypeManifestDeleted} {
		if !slices.Contains(r.types, t) {
			manifests[i] = ""
		}
	}
	narrow := len(r.types) > 0 && !slices.ContainsFunc(r.types, func(t string) bool {
		return t != event.TypeManifestApplied && t != event.TypeManifestDeleted
	})
	open := len(r.functions)+len(r.families)+len(r.kinds) == 0
	var found []string
	switch {
	case open && narrow:
		found = slices.DeleteFunc(manifests, func(s string) bool { return s == "" })
	case open:
		found = []string{"fn.>", "tag.*", "manifest.>", "all"}
	default:
		found = r.named()
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// named are the subjects of the functions, families and kinds that the filters name.
func (r *receiver) named() []string {
	found := []string{"all"}
	functions := r.functions
	if len(functions) > subjectsMost {
		functions = []string{">"}
	}
	for _, p := range functions {
		if !slices.ContainsFunc(functions, func(q string) bool { return q != p && coversPattern(q, p) }) {
			found = append(found, "fn."+p)
		}
	}
	if len(r.families)+len(r.kinds) > subjectsMost {
		return append(found, "tag.*", "manifest.>")
	}
	for _, family := range r.families {
		found = append(found, "tag."+family, "manifest."+family, "manifest."+family+".>")
	}
	for _, kind := range r.kinds {
		kind = strings.ToLower(kind)
		found = append(found, "tag."+kind, "manifest."+kind, "manifest."+kind+".>")
	}
	return found
}

// coversPattern says whether whatever p names is named by q as well.
func coversPattern(q, p string) bool {
	prefix, wild := strings.CutSuffix(q, ">")
	return wild && strings.HasPrefix(p, prefix)
}

// words are the filters for people; the same words are the same filters.
func (r *receiver) words() string {
	var parts []string
	add := func(what string, values []string) {
		if len(values) > 0 {
			values = slices.Clone(values)
			slices.Sort(values)
			parts = append(parts, what+" "+strings.Join(slices.Compact(values), ","))
		}
	}
	add("types", r.types)
	add("functions", r.functions)
	add("tags", r.families)
	add("kinds and their tags", r.kinds)
	if parts == nil {
		return "everything"
	}
	return strings.Join(parts, " ")
}
