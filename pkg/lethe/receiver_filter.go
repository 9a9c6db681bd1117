package lethe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// filter notes what an option names. An option that names nothing, or something twice, is a mistake.
func (r *receiver) filter(option string, list *[]string, names []string) {
	if len(names) == 0 {
		r.wrong = append(r.wrong, fmt.Errorf("%s: the list is empty; name what should pass, or leave the option out and all passes", option))
	}
	for _, name := range names {
		if slices.Contains(*list, name) {
			r.wrong = append(r.wrong, fmt.Errorf("%s: %q is named twice", option, name))
			continue
		}
		*list = append(*list, name)
	}
}

// checkFilters refuses what no event could ever pass.
func (r *receiver) checkFilters() error {
	errs := r.wrong
	for _, t := range r.types {
		if err := checkType(t); err != nil {
			errs = append(errs, err)
		}
	}
	for _, p := range r.functions {
		if err := checkPattern(p); err != nil {
			errs = append(errs, err)
		}
	}
	for _, family := range r.families {
		if err := checkFamily(family); err != nil {
			errs = append(errs, err)
		}
	}
	for _, kind := range r.kinds {
		if err := event.CheckKind(kind); err != nil {
			errs = append(errs, fmt.Errorf("ForKinds: %w%s", err, meantKind(kind)))
		}
	}
	if len(errs) == 0 && len(r.functions) > 0 && len(r.families)+len(r.kinds) == 0 && len(r.types) > 0 &&
		!slices.ContainsFunc(r.types, func(t string) bool { return !ofManifest(t) }) {
		errs = append(errs, fmt.Errorf("ForTypes and ForFunctions: an event of %s is never about a function; name event.TypeInvalidated too, "+
			"or use ForKinds instead of ForFunctions", strings.Join(r.types, ", ")))
	}
	return errors.Join(errs...)
}

func checkType(t string) error {
	switch t {
	case event.TypeInvalidated, event.TypeManifestApplied, event.TypeManifestDeleted, event.TypeManifestInvalidated, event.TypeReset, event.TypeLagged:
		return nil
	case event.TypeTick:
		return fmt.Errorf("ForTypes: %q: no receiver is called for ticks", t)
	}
	return fmt.Errorf("ForTypes: %q is no type of an event; use event.TypeInvalidated, event.TypeManifestApplied, event.TypeManifestDeleted "+
		"or event.TypeManifestInvalidated", t)
}

func ofManifest(t string) bool {
	return t == event.TypeManifestApplied || t == event.TypeManifestDeleted || t == event.TypeManifestInvalidated
}

func checkPattern(p string) error {
	name, wild := strings.CutSuffix(p, ".>")
	switch {
	case p == ">" || p == "*":
		return fmt.Errorf("ForFunctions: %q: leave the filters out and all passes, or use a name like catalog.price, or all below one like catalog.>", p)
	case strings.HasSuffix(p, ".*") && event.CheckFunction(strings.TrimSuffix(p, ".*")) == nil:
		return fmt.Errorf("ForFunctions: %q: write %q for all functions below", p, strings.TrimSuffix(p, "*")+">")
	case !wild && strings.ContainsAny(p, "*>"):
		return fmt.Errorf("ForFunctions: %q: use a name like catalog.price, or all below one like catalog.>", p)
	}
	if err := event.CheckFunction(name); err != nil {
		return fmt.Errorf("ForFunctions: %w", err)
	}
	return nil
}

func checkFamily(family string) error {
	if event.CheckPrefix(family+":") == nil && !strings.Contains(family, ":") {
		return nil
	}
	if before, _, found := strings.Cut(family, ":"); found && event.CheckPrefix(before+":") == nil {
		return fmt.Errorf("ForTags: %q is no family: write %q, which is what stands before the colon of a tag; one tag of a family "+
			"is told by the event's Targets", family, before)
	}
	return fmt.Errorf("ForTags: %q is no family: use what stands before the colon of a tag, like user", family)
}

// meantKind says which kind may be meant.
func meantKind(kind string) string {
	if kind == "" {
		return ""
	}
	if guess := strings.ToUpper(kind[:1]) + kind[1:]; guess != kind && event.CheckKind(guess) == nil {
		return fmt.Sprintf("; write %q, or as it is registered", guess)
	}
	return ""
}
