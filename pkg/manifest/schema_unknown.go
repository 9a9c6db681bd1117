package manifest

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lethe-cache/lethe/internal/document"
)

// Plain objects are closed: a field that nobody described is refused. That is no part of the schema that a value is checked
// against, since not, if, oneOf and contains would then mean something else: an object that is ruled out would be let through for a
// field too many. So the engine checks the schema by the letter, and unknown goes through the value once more, with all schemas that
// hold for each of its objects, however many references lead there.

// closing is what it takes to find the fields that no schema describes.
type closing struct {
	root     any             // as it was compiled
	patterns *programs       // its patterns
	at       map[string]bool // where its plain objects stand: see closeObjects
	seen     map[*jsonschema.Schema]bool
	plain    map[*jsonschema.Schema]bool
	forms    map[*jsonschema.Schema]any // what a value is asked whether it fits: as it is written, to count the steps
}

func newClosing(root any, patterns *programs, at map[string]bool) *closing {
	return &closing{root, patterns, at, map[*jsonschema.Schema]bool{}, map[*jsonschema.Schema]bool{}, map[*jsonschema.Schema]any{}}
}

// look goes through all of a compiled schema, once.
func (c *closing) look(sch *jsonschema.Schema) {
	if sch == nil || c.seen[sch] {
		return
	}
	c.seen[sch] = true
	if c.at[pointerOf(sch.Location)] {
		c.plain[sch] = true
	}
	forms := slices.Concat(sch.AnyOf, sch.OneOf)
	if sch.If != nil {
		forms = append(forms, sch.If)
	}
	for _, form := range forms {
		c.forms[form], _ = pointed(c.root, "#"+pointerOf(form.Location))
	}
	rest, _ := sch.AdditionalProperties.(*jsonschema.Schema)
	for _, below := range slices.Concat(forms, sch.AllOf, sch.PrefixItems, slices.Collect(maps.Values(sch.Properties)),
		slices.Collect(maps.Values(sch.PatternProperties)), slices.Collect(maps.Values(sch.DependentSchemas)),
		[]*jsonschema.Schema{sch.Ref, sch.Then, sch.Else, sch.Items2020, rest, sch.UnevaluatedItems, sch.UnevaluatedProperties}) {
		c.look(below)
	}
}

// pointerOf is the place in a schema that a location of the engine names.
func pointerOf(location string) string {
	_, fragment, _ := strings.Cut(location, "#")
	if ptr, err := url.PathUnescape(fragment); err == nil {
		return ptr
	}
	return fragment
}

// unknown notes the fields that no schema describes, of all closed objects in a value that a schema is asked about. It takes at
// most that many steps, and says whether they sufficed.
func (c *closing) unknown(sch *jsonschema.Schema, field string, value any, steps int, bad *problems) bool {
	if len(c.plain) == 0 {
		return true
	}
	u := unknowns{closing: c, work: newWork(c.root, c.patterns, steps), bad: bad}
	u.value(field, []*jsonschema.Schema{sch}, value, 0)
	return u.work.left >= 0
}

type unknowns struct {
	*closing
	work work
	bad  *problems
}

// value goes through a value for which some schemas hold.
func (u *unknowns) value(field string, schemas []*jsonschema.Schema, value any, depth int) {
	if u.work.left < 0 || depth > document.MaxDepth {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		h := u.all(schemas, v)
		closed := h.closed(u.plain)
		u.work.left -= h.steps(u.patterns, v)
		if u.work.left < 0 {
			return
		}
		for name, member := range sorted(v) {
			switch below := h.member(name); {
			case closed && !h.describes(name) && len(u.bad.all) >= maxProblems:
				u.bad.more++ // each takes time to word
			case closed && !h.describes(name):
				u.bad.add(document.Member(field, name), "is no field here; %s", choice(name, h.names()))
			case holds(member) && len(below) > 0:
				u.value(document.Member(field, name), below, member, depth+1)
			}
		}
	case []any:
		if !slices.ContainsFunc(v, holds) {
			return
		}
		h := u.all(schemas, v)
		for i, item := range v {
			if below := h.item(i); holds(item) && len(below) > 0 {
				u.value(document.Item(field, i), below, item, depth+1)
			}
		}
	}
}

// holds says whether a value holds others.
func holds(value any) bool {
	switch value.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// holding are the schemas that hold for one value.
type holding struct {
	all map[*jsonschema.Schema]manner
	// free is set where the value fits one of several forms that describes no fields.
	free bool
}

// manner is how a schema came to hold.
type manner struct {
	layered bool // laid on another: by allOf, then, else, dependentSchemas, or as an if that is true
	chosen  bool // as one of several forms
}

func (u *unknowns) all(schemas []*jsonschema.Schema, value any) holding {
	h := holding{all: map[*jsonschema.Schema]manner{}}
	for _, sch := range schemas {
		u.gather(&h, sch, value, manner{})
	}
	return h
}

// note says whether it is news that a schema holds, or that it holds in a manner that says more.
func (h holding) note(sch *jsonschema.Schema, how manner) bool {
	had, noted := h.all[sch]
	if noted {
		how = manner{layered: had.layered || how.layered, chosen: had.chosen && how.chosen}
	}
	h.all[sch] = how
	return !noted || had != how
}

// gather notes a schema that holds for a value, and all that hold with it.
func (u *unknowns) gather(h *holding, sch *jsonschema.Schema, value any, how manner) {
	u.work.left--
	if u.work.left < 0 || !h.note(sch, how) {
		return
	}
	if sch.Ref != nil {
		u.gather(h, sch.Ref, value, how)
	}
	laid := manner{layered: true, chosen: how.chosen}
	for _, below := range sch.AllOf {
		u.gather(h, below, value, laid)
	}
	for _, form := range slices.Concat(sch.AnyOf, sch.OneOf) {
		if u.fits(form, value) {
			u.choose(h, form, value, manner{layered: how.layered, chosen: true})
		}
	}
	if sch.If != nil {
		next := sch.Else
		if u.fits(sch.If, value) {
			u.gather(h, sch.If, value, laid)
			next = sch.Then
		}
		if next != nil {
			u.gather(h, next, value, laid)
		}
	}
	if object, ok := value.(map[string]any); ok {
		for name, below := range sch.DependentSchemas {
			if _, given := object[name]; given {
				u.gather(h, below, value, laid)
			}
		}
	}
}

// choose notes one of several forms.
func (u *unknowns) choose(h *holding, form *jsonschema.Schema, value any, how manner) {
	alone := holding{all: map[*jsonschema.Schema]manner{}}
	u.gather(&alone, form, value, how)
	free := true
	for sch, how := range alone.all {
		free = free && sch.Properties == nil
		h.note(sch, how)
	}
	h.free = h.free || alone.free || free
}

func (u *unknowns) fits(sch *jsonschema.Schema, value any) bool {
	u.work.value(u.forms[sch], value)
	return u.work.left >= 0 && sch.Validate(value) == nil
}

// closed says whether fields that nobody describes are refused. They are not where a schema that describes fields is not plain or
// is laid on another, where one speaks of further fields, and where the object fits a form that leaves all fields open.
func (h holding) closed(plain map[*jsonschema.Schema]bool) bool {
	described, fixed := false, false
	for sch, how := range h.all {
		if sch.AdditionalProperties != nil || len(sch.PatternProperties) > 0 || sch.UnevaluatedProperties != nil {
			return false
		}
		if sch.Properties == nil {
			continue
		}
		if !plain[sch] || how.layered {
			return false
		}
		described, fixed = true, fixed || !how.chosen
	}
	return described && (fixed || !h.free)
}

// steps is what it takes to ask all of them about each member of an object.
func (h holding) steps(patterns *programs, v map[string]any) int {
	sum := len(v) * (1 + len(h.all)/8)
	for sch := range h.all {
		for pattern := range sch.PatternProperties {
			for name := range v {
				sum += patterns.matched(pattern.String(), name)
			}
		}
	}
	return sum
}

// describes says whether any schema describes a field.
func (h holding) describes(name string) bool {
	for sch := range h.all {
		if sch.Properties[name] != nil {
			return true
		}
	}
	return false
}

// names are the fields that are described.
func (h holding) names() []string {
	all := map[string]bool{}
	for sch := range h.all {
		for name := range sch.Properties {
			all[name] = true
		}
	}
	return slices.Collect(maps.Keys(all))
}

// member are the schemas that hold for a member of an object.
func (h holding) member(name string) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	for sch := range h.all {
		below, described := sch.Properties[name]
		if described {
			all = append(all, below)
		}
		for pattern, below := range sch.PatternProperties {
			if pattern.MatchString(name) {
				described, all = true, append(all, below)
			}
		}
		rest, ok := sch.AdditionalProperties.(*jsonschema.Schema)
		if ok && !described {
			all = append(all, rest)
		}
		if sch.UnevaluatedProperties != nil && !described && !ok {
			all = append(all, sch.UnevaluatedProperties)
		}
	}
	return all
}

// item are the schemas that hold for an element of a list.
func (h holding) item(i int) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	for sch := range h.all {
		switch {
		case i < len(sch.PrefixItems):
			all = append(all, sch.PrefixItems[i])
		case sch.Items2020 != nil:
			all = append(all, sch.Items2020)
		case sch.UnevaluatedItems != nil:
			all = append(all, sch.UnevaluatedItems)
		}
	}
	return all
}
