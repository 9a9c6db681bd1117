package manifest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/invopop/jsonschema"
)

// reflected is the JSON Schema of a Go type: objects are closed, a field is required unless it has omitempty or omitzero,
// and the struct tags of github.com/invopop/jsonschema say more.
func reflected(t reflect.Type) (text json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			text, err = nil, fmt.Errorf("has no JSON Schema: %v; give Kind.Schema", p)
		}
	}()
	r := jsonschema.Reflector{Anonymous: true, ExpandedStruct: true, Namer: namer(), Mapper: mapped}
	s := r.ReflectFromType(t)
	s.Version = ""
	s.Type = "object"
	return json.Marshal(s)
}

// mapped are the types whose schema the library has wrong for what encoding/json writes.
func mapped(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[json.Number]() {
		return &jsonschema.Schema{Type: "number"}
	}
	_, written := reflect.New(t).Interface().(interface{ JSONSchema() *jsonschema.Schema })
	if written || t.PkgPath() == "time" || t.PkgPath() == "net/url" || t.PkgPath() == "net" && t.Name() == "IP" || !writesItself(t) {
		return nil
	}
	if t == reflect.TypeFor[json.RawMessage]() || t.Implements(reflect.TypeFor[json.Marshaler]()) {
		return &jsonschema.Schema{} // whatever it writes
	}
	return &jsonschema.Schema{Type: "string"}
}

// namer tells types of one name apart, which the library would take for one.
func namer() func(reflect.Type) string {
	names, types := map[reflect.Type]string{}, map[string]reflect.Type{}
	return func(t reflect.Type) string {
		if name, known := names[t]; known || t.Name() == "" {
			return name
		}
		name := plainName(t.Name())
		for i := 2; types[name] != nil; i++ {
			name = plainName(t.Name()) + strconv.Itoa(i)
		}
		names[t], types[name] = name, t
		return name
	}
}

// plainName is a type's name as far as it can stand in a $ref; a generic type's has brackets and paths.
func plainName(s string) string {
	b := []byte(s)
	for i, c := range b {
		if !alphanumeric(c) && c != '_' {
			b[i] = '_'
		}
	}
	return string(b)
}
