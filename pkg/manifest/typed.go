package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"github.com/lethe-cache/lethe/internal/document"
	"github.com/lethe-cache/lethe/pkg/event"
)

// typed makes the shape of a Go kind; its functions are called under guard, which logs to log.
func typed[S any](k Kind[S], log *slog.Logger) (*shape, error) {
	s := &shape{
		code:       guard{clip(k.Name), log},
		apiVersion: k.APIVersion, kind: k.Name, plural: strings.ToLower(k.Plural),
		family: strings.ToLower(k.Name),
	}
	if s.plural == "" {
		s.plural = plural(k.Name)
	}
	for _, short := range k.ShortNames {
		s.shortNames = append(s.shortNames, strings.ToLower(short))
	}
	var bad problems
	bad.put(checkAPIVersion("APIVersion", k.APIVersion))
	bad.put(s.checkNames(""))
	t := reflect.TypeFor[S]()
	if err := checkSpec(t); err != nil {
		bad.add("S", "%v", err)
	}
	if err := bad.err(); err != nil {
		return nil, registering(k.Name, err)
	}
	text := k.Schema
	if text == nil {
		var err error
		if text, err = reflected(t); err != nil {
			return nil, registering(k.Name, &Error{Field: "S", Reason: err.Error()})
		}
	}
	checked, err := newSchema("Schema", text)
	if err == nil {
		err = errors.Join(checked.checkDefaults("Schema"), checked.checkFormats("Schema"))
	}
	if err != nil {
		return nil, registering(k.Name, err)
	}
	s.schema, s.secrets = checked.text, secretsIn(checked.written)
	g := goKind[S]{Kind: k, t: t, schema: checked, code: s.code}
	s.spec, s.retain = g.prepare, g.retain
	if k.Stale != nil {
		s.makes = func(o Object) ([]event.Target, error) { return asked(s.code, "Stale", o, k.Stale) }
	}
	if k.References != nil {
		s.mentions = func(o Object) ([]Reference, error) { return asked(s.code, "References", o, k.References) }
	}
	if s.example, err = g.example(s); err != nil {
		return nil, registering(k.Name, err)
	}
	return s, nil
}

func registering(kind string, err error) error {
	return each(err, func(e *Error) { e.Kind, e.Namespace, e.Name = clip(kind), "", "" })
}

// goKind is a kind whose specs are of the Go type S.
type goKind[S any] struct {
	Kind[S]
	t      reflect.Type
	schema *schema
	code   guard
}

// prepare takes a spec through the type and back, so that what is stored is what the type can say. The schema is asked
// before, of what the user wrote, and after, of what the kind made of it.
func (g goKind[S]) prepare(o Object) (json.RawMessage, error) {
	value, err := opened(o)
	if err != nil {
		return nil, err
	}
	var bad problems
	value = strict(g.t, value, "spec", &bad)
	if err := besides(bad.err(), g.schema.conform(value)); err != nil {
		return nil, err
	}
	text, err := encoded("spec", value)
	if err != nil {
		return nil, err
	}
	o.Spec = text
	m, err := decode[S](g.code, o)
	if err != nil {
		return nil, err
	}
	if g.Default != nil {
		if err := g.code.call("Default", func() error { g.Default(&m.Spec); return nil }); err != nil {
			return nil, err
		}
	}
	if o.Spec, err = g.encode(m.Spec); err != nil {
		return nil, err
	}
	if g.Validate != nil {
		if m, err = decode[S](g.code, o); err != nil { // what is stored is what is judged
			return nil, err
		}
		if err := g.code.call("Validate", func() error { return g.Validate(m) }); err != nil {
			return nil, each(err, func(e *Error) {
				if e.Field == "" {
					e.Field = "spec"
				}
			})
		}
	}
	return o.Spec, nil
}

// encode is a spec as it is stored.
func (g goKind[S]) encode(spec S) (json.RawMessage, error) {
	var text json.RawMessage
	if err := g.code.call("MarshalJSON", func() (err error) { text, err = json.Marshal(spec); return err }); err != nil {
		return nil, err
	}
	value, err := opened(Object{Spec: text})
	if err != nil {
		return nil, err
	}
	var bad problems
	value = strict(g.t, value, "spec", &bad)
	if err := bad.err(); err != nil {
		return nil, err
	}
	if err := g.schema.check("spec", value); err != nil {
		return nil, each(err, func(e *Error) { e.Reason += " (with the defaults of the kind)" })
	}
	return encoded("spec", value)
}

// decode is an object with its spec as S. Numbers in fields of type any keep their digits.
func decode[S any](code guard, o Object) (Manifest[S], error) {
	m := Manifest[S]{APIVersion: o.APIVersion, Kind: o.Kind, Metadata: o.Metadata, Status: o.Status}
	err := code.call("UnmarshalJSON", func() error {
		if len(o.Spec) == 0 {
			return nil
		}
		d := json.NewDecoder(bytes.NewReader(o.Spec))
		d.UseNumber()
		return d.Decode(&m.Spec)
	})
	if err == nil {
		return m, nil
	}
	at, why := "spec", err.Error()
	if e := (*json.UnmarshalTypeError)(nil); errors.As(err, &e) {
		why = fmt.Sprintf("is %s, has to be %s", e.Value, e.Type)
		for name := range strings.SplitSeq(e.Field, ".") {
			if name != "" {
				at = document.Member(at, name)
			}
		}
	}
	return Manifest[S]{}, of(o, &Error{Field: at, Reason: why})
}

// asked is what a function of the kind says of an object.
func asked[S, R any](code guard, name string, o Object, f func(Manifest[S]) []R) (all []R, err error) {
	m, err := decode[S](code, o)
	if err != nil {
		return nil, err
	}
	if m.Metadata.Namespace == "" {
		m.Metadata.Namespace = DefaultNamespace
	}
	err = code.call(name, func() error { all = f(m); return nil })
	return all, err
}

// example is the kind's Example, which has to be valid, or one made from the schema.
func (g goKind[S]) example(s *shape) (json.RawMessage, error) {
	if reflect.ValueOf(g.Example).IsZero() {
		return s.made(g.schema)
	}
	e := g.Example
	if e.APIVersion == "" {
		e.APIVersion = s.apiVersion
	}
	if e.Kind == "" {
		e.Kind = s.kind
	}
	text, err := json.Marshal(e.Spec)
	if err != nil {
		return nil, because("Example.Spec", "has no JSON form", err)
	}
	o := Object{APIVersion: e.APIVersion, Kind: e.Kind, Metadata: e.Metadata, Spec: text}
	ready, err := s.prepare(o)
	if err != nil {
		return nil, each(err, func(e *Error) { e.Field = strings.TrimSuffix("Example."+e.Field, ".") })
	}
	return shownObject(ready)
}
