package lethe

import (
	"encoding/json"
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

// form is an example of the canonical keys of a function: its arguments' fields by name, with an empty string, 0 or false for every
// value, and 0.5 for a float32.
type form struct {
	text    string // empty where it would be too long; null in it for what writes its own JSON, of which nothing is known
	part    bool   // the text does not show everything
	narrow  bool   // a float32 stands somewhere in the keys
	blurred bool   // and where that is, the text does not show
}

const float32Example = "0.5"

func formOf(types []reflect.Type) (f form) {
	args := make([]any, 0, len(types))
	for _, t := range types {
		args = append(args, f.example(t, false))
	}
	text, err := event.CanonicalKey(args...)
	if err != nil || len(text) > maxForm {
		return form{part: true, narrow: f.narrow, blurred: f.narrow}
	}
	f.text = text
	return f
}

// example is an example of the JSON of a key's type, which checkKey has taken. Quoted is the option "string" of a field.
func (f *form) example(t reflect.Type, quoted bool) any {
	kind := kindOf(t)
	narrow := kind == numberKind && t.Kind() == reflect.Float32
	f.narrow = f.narrow || narrow
	switch {
	case narrow && quoted:
		return float32Example
	case narrow:
		return json.RawMessage(float32Example)
	case kind == stringKind, quoted && (kind == numberKind || kind == boolKind):
		return ""
	case kind == numberKind:
		return 0
	case kind == boolKind:
		return false
	case kind == objectKind:
		fields := map[string]any{}
		f.fields(t, fields)
		return fields
	case kind == arrayKind && t.Len() <= maxFormed:
		elements := make([]any, t.Len())
		if len(elements) > 0 {
			elements[0] = f.example(t.Elem(), false)
		}
		for i := range elements {
			elements[i] = elements[0]
		}
		return elements
	case kind == arrayKind:
		var hidden form
		hidden.example(t.Elem(), false)
		f.narrow = f.narrow || hidden.narrow
		f.blurred = f.blurred || hidden.narrow
	}
	f.part = true
	return nil
}

// fields goes through a struct's fields as checkKeyFields does.
func (f *form) fields(t reflect.Type, fields map[string]any) {
	for i := range t.NumField() {
		sf := t.Field(i)
		if sf.Name == "_" || sf.Type.Size() == 0 && !sf.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if !nameTaken(name) {
			name = ""
		}
		if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct {
			f.fields(sf.Type, fields)
			continue
		}
		if name == "" {
			name = sf.Name
		}
		fields[name] = f.example(sf.Type, hasOption(options, "string"))
	}
}

// takesString reports whether a string, or the name of a field, can stand where the example begins with one of n bytes.
func takesString(example, s string, n int) bool {
	// A value of canonical JSON is not followed by a colon.
	if strings.HasPrefix(example[n:], ":") {
		return example[:n] == s
	}
	return n <= len(`""`) || isFloat32(strings.Trim(s, `"`))
}

// takes reports whether a canonical key has this form, which has a text: the same count of arguments, the same fields by name, and
// values of the same kinds. Only the structure is scanned; the text is known to be canonical. own is the key as this function writes
// it: where a float32 stands, an event may say the same number as a double.
func (f *form) takes(key string) (own string, ok bool) {
	var changed []byte // own, up to the last number that was changed
	copied := 0        // of key
	example, rest := f.text, key
	for example != "" && rest != "" {
		var n, m int
		switch c := example[0]; {
		case c == '"':
			if rest[0] != '"' {
				return "", false
			}
			n, m = stringEnd(example), stringEnd(rest)
			if !takesString(example, rest[:m], n) {
				return "", false
			}
		case strings.IndexByte("[]{},:", c) >= 0:
			if rest[0] != c {
				return "", false
			}
			n, m = 1, 1
		case c == 'n': // anything but nothing
			n, m = len("null"), elementEnd(rest)
			if m == 0 || f.blurred && !float32sOnly(rest[:m]) {
				return "", false
			}
		default:
			if kindOfByte(rest[0]) != kindOfByte(c) || strings.IndexByte("]},:", rest[0]) >= 0 {
				return "", false
			}
			n, m = scalarEnd(example), scalarEnd(rest)
			if example[:n] != float32Example {
				break
			}
			number, exact := float32Text(rest[:m])
			switch at := len(key) - len(rest); {
			case !exact:
				return "", false
			case number != rest[:m]:
				changed = append(append(changed, key[copied:at]...), number...)
				copied = at + m
			}
		}
		example, rest = example[n:], rest[m:]
	}
	if copied == 0 {
		return key, example == rest
	}
	return string(append(changed, key[copied:]...)), example == rest
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
