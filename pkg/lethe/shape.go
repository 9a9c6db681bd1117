package lethe

import (
	"encoding"
	"encoding/json"
	"reflect"
)

// jsonKind is the sort of a JSON value, told by its first byte.
type jsonKind byte

const (
	anyKind    jsonKind = 0 // a json.Marshaler: could be anything
	stringKind jsonKind = '"'
	numberKind jsonKind = '0'
	boolKind   jsonKind = 't'
	objectKind jsonKind = '{'
	arrayKind  jsonKind = '['
)

// kindOf is the JSON kind that values of an argument's type have.
func kindOf(t reflect.Type) jsonKind {
	switch {
	case t == reflect.TypeFor[json.Number]():
		return numberKind
	case t.Implements(reflect.TypeFor[json.Marshaler]()):
		return anyKind
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return stringKind
	}
	switch t.Kind() {
	case reflect.String:
		return stringKind
	case reflect.Bool:
		return boolKind
	case reflect.Struct:
		return objectKind
	case reflect.Array:
		return arrayKind
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64:
		return numberKind
	default: // what no argument can be
		return anyKind
	}
}

// kindNames are the kinds of a shape as JSON calls them.
func kindNames(shape []jsonKind) []string {
	names := make([]string, len(shape))
	for i, k := range shape {
		switch k {
		case stringKind:
			names[i] = "string"
		case numberKind:
			names[i] = "number"
		case boolKind:
			names[i] = "boolean"
		case objectKind:
			names[i] = "object"
		case arrayKind:
			names[i] = "array"
		default:
			names[i] = "any"
		}
	}
	return names
}

func kindOfByte(b byte) jsonKind {
	switch b {
	case '"', '{', '[', 'n': // null is no argument's kind
		return jsonKind(b)
	case 't', 'f':
		return boolKind
	}
	return numberKind
}

// fits reports whether canonical arguments, a JSON array, can be those of a function of this shape: their count and the kind of
// each. Only the structure is scanned; the text is known to be canonical.
func fits(shape []jsonKind, args []byte) bool {
	if len(args) < 2 || args[0] != '[' || args[len(args)-1] != ']' {
		return false
	}
	args = args[1 : len(args)-1]
	n := 0
	for len(args) > 0 {
		if n == len(shape) || shape[n] != anyKind && shape[n] != kindOfByte(args[0]) {
			return false
		}
		n++
		end := elementEnd(args)
		if end == len(args) {
			break
		}
		args = args[end+1:]
	}
	return n == len(shape)
}

// elementEnd is where the first element of a JSON list ends: at a comma, or where the list does.
func elementEnd[T string | []byte](b T) int {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted:
			switch c {
			case '\\':
				i++
			case '"':
				quoted = false
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == '}' || c == ']'):
			return i
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth == 0:
			return i
		}
	}
	return len(b)
}
