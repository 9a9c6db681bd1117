package manifest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// template is text with placeholders, which an object makes into tags or prefixes: account:{spec.account}. A placeholder is
// a path into metadata or spec; [] in it is every element of a list.
type template struct {
	source string
	parts  []templatePart
	loops  []path // the lists that are gone through, each after those it is in
	prefix bool   // it ends in ':' or '/'
}

// templatePart is literal text, or a placeholder when at is not nil.
type templatePart struct {
	text string
	at   path
}

const maxTemplate = 1_024

// parseTemplate reads a template; the error is a reason.
func parseTemplate(s string) (*template, error) {
	if len(s) > maxTemplate {
		return nil, fmt.Errorf("has %d bytes, at most %d are allowed", len(s), maxTemplate)
	}
	t := &template{source: s}
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			t.parts = append(t.parts, templatePart{text: literal.String()})
			literal.Reset()
		}
	}
	for rest := s; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "{{"):
			literal.WriteByte('{')
			rest = rest[2:]
		case rest[0] == '{':
			inner, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return nil, fmt.Errorf("%s: the { at %d is not closed; write {{ for a brace", quote(s), len(s)-len(rest)+1)
			}
			p, err := parsePath(inner)
			if err != nil {
				return nil, fmt.Errorf("{%s}: %w", clip(inner), err)
			}
			flush()
			t.parts, rest = append(t.parts, templatePart{at: p}), after
			t.loop(p)
		default:
			literal.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	flush()
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// check refuses what could never be a tag or a prefix.
func (t *template) check() error {
	if len(t.parts) == 0 || t.parts[0].at != nil || !strings.Contains(t.parts[0].text, ":") {
		return fmt.Errorf("%s: begin with a family of tags and a colon, like account:{spec.account}", quote(t.source))
	}
	family, path, _ := strings.Cut(t.parts[0].text, ":")
	if err := event.CheckPrefix(family + ":"); err != nil {
		return refused("", err)
	}
	last := t.parts[len(t.parts)-1]
	t.prefix = last.at == nil && (strings.HasSuffix(last.text, ":") || strings.HasSuffix(last.text, "/"))
	if len(t.parts) > 1 {
		return nil
	}
	var err error
	if t.prefix {
		err = event.CheckPrefix(family + ":" + path)
	} else {
		err = event.CheckTag(family + ":" + path)
	}
	if err != nil {
		return refused("", err)
	}
	return nil
}

// loop notes the lists that a placeholder goes through.
func (t *template) loop(p path) {
	for i, step := range p {
		if !step.each {
			continue
		}
		list := p[:i+1]
		known := false
		for _, l := range t.loops {
			known = known || l.String() == list.String()
		}
		if !known {
			t.loops = append(t.loops, list)
		}
	}
}

// targets are what an object makes of the template. The error names the object's field.
func (t *template) targets(o map[string]any) ([]event.Target, error) {
	var all []event.Target
	err := expand(t.loops, o, func(at bindings) error {
		var b strings.Builder
		for _, part := range t.parts {
			if part.at == nil {
				b.WriteString(part.text)
				continue
			}
			text, given, err := at.text(part.at)
			if err != nil || !given {
				return err
			}
			b.WriteString(text)
		}
		target := event.Tag(b.String())
		if t.prefix {
			target = event.TagPrefix(b.String())
		}
		if err := target.Err(); err != nil {
			return &Error{Field: at.field(t.last()), Reason: fmt.Sprintf("makes no legal tag of %s: %s", t.source, Problems(refused("", err))[0].Reason)}
		}
		if all = append(all, target); len(all) > maxTargets {
			return &Error{Field: at.field(t.last()), Reason: fmt.Sprintf("makes over %d targets of %s; use a prefix", maxTargets, t.source)}
		}
		return nil
	})
	return all, err
}

// last is the placeholder that errors name.
func (t *template) last() path {
	for i := len(t.parts) - 1; i >= 0; i-- {
		if t.parts[i].at != nil {
			return t.parts[i].at
		}
	}
	return nil
}

// asValues is an object as templates see it.
func asValues(o Object) (map[string]any, error) {
	metadata := map[string]any{"name": o.Metadata.Name, "namespace": o.Metadata.Namespace}
	if o.Metadata.Namespace == "" {
		metadata["namespace"] = DefaultNamespace
	}
	for name, m := range map[string]map[string]string{"labels": o.Metadata.Labels, "annotations": o.Metadata.Annotations} {
		values := make(map[string]any, len(m))
		for key, value := range m {
			values[key] = value
		}
		metadata[name] = values
	}
	spec := o.Spec
	if len(spec) == 0 {
		spec = json.RawMessage("{}")
	}
	value, err := decoded(spec)
	if err != nil {
		return nil, because("spec", "is no JSON", err)
	}
	return map[string]any{"metadata": metadata, "spec": value}, nil
}
