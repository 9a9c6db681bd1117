package lethe

import (
	"reflect"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// maxForm bounds the form of a function's arguments in bytes, and the elements of one array in it. Beyond it only the count and the
// kinds of the arguments are checked.
const (
	maxForm   = 4 << 10
	maxFormed = 256
)

// formOf is an example of the canonical keys of a function: its arguments' fields by name, with an empty string, 0 or false for
// every value. null stands for what a json.Marshaler writes, of which nothing is known; then whole is false. It is empty where it
// would be too long.
func formOf(types []reflect.Type) (form string, whole bool) {
	whole = true
	args := make([]any, 0, len(types))
	for _, t := range types {
		args = append(args, exampleOf(t, false, &whole))
	}
	text, err := event.CanonicalKey(args...)
	if err != nil || len(text) > maxForm {
		return "", false
	}
	return text, whole
}

// exampleOf is an example of the JSON of a key's type, which checkKey has taken. Quoted is the option "string" of a field.
func exampleOf(t reflect.Type, quoted bool, whole *bool) any {
	switch kind := kindOf(t); {
	case kind == stringKind, quoted && (kind == numberKind || kind == boolKind):
		return ""
	case kind == numberKind:
		return 0
	case kind == boolKind:
		return false
	case kind == objectKind:
		fields := map[string]any{}
		exampleFields(t, fields, whole)
		return fields
	case kind == arrayKind && t.Len() <= maxFormed:
		elements := make([]any, t.Len())
		if len(elements) > 0 {
			elements[0] = exampleOf(t.Elem(), false, whole)
		}
		for i := range elements {
			elements[i] = elements[0]
		}
		return elements
	}
	*whole = false
	return nil
}

// exampleFields goes through a struct's fields as checkKeyFields does.
func exampleFields(t reflect.Type, fields map[string]any, whole *bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" || f.Type.Size() == 0 && !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !nameTaken(name) {
			name = ""
		}
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			exampleFields(f.Type, fields, whole)
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields[name] = exampleOf(f.Type, hasOption(options, "string"), whole)
	}
}

// sameForm reports whether a canonical key has the form of an example: the same count of arguments, the same fields by name, and
// values of the same kinds. Only the structure is scanned; the text is known to be canonical.
func sameForm(form, key string) bool {
	for form != "" && key != "" {
		var n, m int
		switch c := form[0]; {
		case c == '"':
			if key[0] != '"' {
				return false
			}
			n, m = stringEnd(form), stringEnd(key)
			// A value of canonical JSON is not followed by a colon.
			if strings.HasPrefix(form[n:], ":") && form[:n] != key[:m] {
				return false
			}
		case strings.IndexByte("[]{},:", c) >= 0:
			if key[0] != c {
				return false
			}
			n, m = 1, 1
		case c == 'n': // anything but nothing
			n, m = len("null"), elementEnd(key)
			if m == 0 {
				return false
			}
		default:
			if kindOfByte(key[0]) != kindOfByte(c) || strings.IndexByte("]},:", key[0]) >= 0 {
				return false
			}
			n, m = scalarEnd(form), scalarEnd(key)
		}
		form, key = form[n:], key[m:]
	}
	return form == key
}

// stringEnd is where what follows the string begins that s begins with.
func stringEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

func scalarEnd(s string) int {
	if i := strings.IndexAny(s, ",]}"); i >= 0 {
		return i
	}
	return len(s)
}
