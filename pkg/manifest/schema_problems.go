package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/lethe-cache/lethe/internal/document"
)

// problems makes an Error, which names the field, of each thing a schema found wrong.
func (s *schema) problems(field string, value any, invalid *jsonschema.ValidationError) error {
	var bad problems
	found := leaves(invalid)
	slices.SortStableFunc(found, func(a, b *jsonschema.ValidationError) int {
		return slices.Compare(a.InstanceLocation, b.InstanceLocation)
	})
	for _, e := range found {
		if len(bad.all) >= maxProblems { // each takes time to word
			bad.more++
			continue
		}
		at := below(field, e.InstanceLocation, value)
		switch k := e.ErrorKind.(type) {
		case *kind.Required:
			for _, name := range k.Missing {
				bad.add(document.Member(at, name), "is required")
			}
		case *kind.AdditionalProperties:
			slices.Sort(k.Properties)
			for i, name := range k.Properties {
				if len(bad.all) >= maxProblems {
					bad.more += len(k.Properties) - i
					break
				}
				bad.add(document.Member(at, name), "is no field here; %s", choice(name, s.named(e.SchemaURL)))
			}
		default:
			bad.add(at, "%s", reason(e))
		}
	}
	return bad.err()
}

// leaves are the problems themselves. A failed anyOf or oneOf is one problem: what is wrong with each of its forms
// contradicts each other.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.Contains, *kind.PropertyNames:
		return []*jsonschema.ValidationError{e}
	}
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

// reason is a problem in words, without its place.
func reason(e *jsonschema.ValidationError) string {
	english := message.NewPrinter(language.English)
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return fmt.Sprintf("is %s, has to be %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.Required:
		return "lacks " + strings.Join(k.Missing, ", ")
	case *kind.AdditionalProperties:
		return "has unknown fields: " + strings.Join(k.Properties, ", ")
	case *kind.DependentRequired:
		return fmt.Sprintf("with %s it needs %s too", k.Prop, strings.Join(k.Missing, ", "))
	case *kind.FalseSchema:
		return "is not allowed here"
	case *kind.Not:
		return "has a form that is ruled out (not)"
	case *kind.PropertyNames:
		return fmt.Sprintf("the name %s is not allowed%s", quote(k.Property), forms(e))
	case *kind.OneOf:
		if len(k.Subschemas) > 1 {
			return fmt.Sprintf("fits forms %d and %d, has to fit one alone", k.Subschemas[0]+1, k.Subschemas[1]+1)
		}
		return "fits none of the forms it may have" + forms(e)
	case *kind.AnyOf:
		return "fits none of the forms it may have" + forms(e)
	}
	return clip(e.ErrorKind.LocalizedString(english))
}

// forms says what is wrong with the first few of the forms a value may have.
func forms(e *jsonschema.ValidationError) string {
	const most = 3
	var all []string
	for _, cause := range e.Causes {
		first := leaves(cause)[0]
		where := below("", first.InstanceLocation[min(len(e.InstanceLocation), len(first.InstanceLocation)):], nil)
		if where != "" {
			where += " "
		}
		if one := where + reason(first); !slices.Contains(all, one) {
			all = append(all, one)
		}
		if len(all) == most {
			break
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ": " + strings.Join(all, "; or ")
}

// below is the field that a location in a value names.
func below(field string, location []string, value any) string {
	for _, step := range location {
		switch v := value.(type) {
		case []any:
			i := 0
			if _, err := fmt.Sscanf(step, "%d", &i); err != nil || i < 0 || i >= len(v) {
				return field
			}
			field, value = document.Item(field, i), v[i]
		case map[string]any:
			field, value = document.Member(field, step), v[step]
		default:
			field = document.Member(field, step)
		}
	}
	return field
}

// named are the members that the schema at a URL describes.
func (s *schema) named(url string) []string {
	at, found := pointed(s.root, strings.TrimPrefix(url, schemaURL))
	if n, ok := at.(map[string]any); found && ok {
		if all, ok := n["properties"].(map[string]any); ok {
			return slices.Collect(maps.Keys(all))
		}
	}
	return nil
}
