package lethe

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"google.golang.org/protobuf/proto"
)

// JSON is encoding/json as a codec, for WithCodec. A value comes back equal in its JSON: a time.Time without the name of its zone and its monotonic
// reading. Memoize panics for a V of which JSON loses a part: a field that is unexported or left out ("-", omitempty, omitzero), an
// interface, a pointer to what can be nil. A string that is not UTF-8 makes a value that is not stored, and a
// nil json.RawMessage or an empty json.Number, which would come back as null and 0, one that is not kept in bulk.
func JSON() Codec { return jsonCodec{} }

type jsonCodec struct{}

var errNotUTF8 = errors.New("lethe: a string is not UTF-8, and JSON would replace parts of it")

func (jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err == nil && bytes.Contains(b, []byte(`\ufffd`)) { // a genuine U+FFFD is written as it is
		err = errNotUTF8
	}
	if err != nil {
		return nil, err
	}
	return append(dst, b...), nil
}

func (jsonCodec) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

func (jsonCodec) check(t reflect.Type) error {
	return checkJSON(t, t.String(), map[reflect.Type]bool{})
}

// checkJSON refuses a type of which encoding/json loses a part. One that writes itself has to read itself.
func checkJSON(t reflect.Type, path string, seen map[reflect.Type]bool) error {
	if seen[t] {
		return nil
	}
	seen[t] = true
	p := reflect.PointerTo(t)
	for _, pair := range [][2]reflect.Type{
		{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler]()},
		{reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()},
	} {
		if p.Implements(pair[0]) && t.Kind() != reflect.Interface {
			if !p.Implements(pair[1]) {
				return fmt.Errorf("%s writes itself as JSON and does not read it; give it %s", path, pair[1].Method(0).Name)
			}
			return nil
		}
	}
	switch t.Kind() {
	case reflect.Interface:
		return fmt.Errorf("%s is an interface, whose type JSON does not keep; use a concrete type", path)
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Errorf("%s is a %s, which JSON can't carry", path, t.Kind())
	case reflect.Pointer:
		if nilable(t.Elem().Kind()) {
			return fmt.Errorf("%s points to a %s: a pointer to nil would come back as nil; leave out the pointer", path, t.Elem().Kind())
		}
		return checkJSON(t.Elem(), path, seen)
	case reflect.Slice, reflect.Array:
		return checkJSON(t.Elem(), path+"[]", seen)
	case reflect.Map:
		return checkJSON(t.Elem(), path+"[]", seen)
	case reflect.Struct:
		names := map[string]string{}
		for i := range t.NumField() {
			f := t.Field(i)
			if err := checkJSONField(f, path+"."+f.Name, names); err != nil {
				return err
			}
			if err := checkJSON(f.Type, path+"."+f.Name, seen); err != nil {
				return err
			}
		}
	default:
	}
	return nil
}

func checkJSONField(f reflect.StructField, at string, names map[string]string) error {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	switch {
	case f.Name == "_":
		return nil
	case !f.IsExported() && (!f.Anonymous || f.Type.Kind() != reflect.Struct):
		return fmt.Errorf("%s is unexported, so JSON leaves it out", at)
	case name == "-" && options == "":
		return fmt.Errorf(`%s is left out of JSON by its tag "-"`, at)
	case hasOption(options, "omitempty") && f.Type.Kind() != reflect.Pointer || hasOption(options, "omitzero"):
		return fmt.Errorf("%s is omitted from JSON when it is empty, and may come back as nil; remove omitempty and omitzero from its tag", at)
	case f.Anonymous && f.Type.Kind() == reflect.Pointer:
		return fmt.Errorf("%s is an embedded pointer; give the field a name", at)
	case f.Anonymous && name == "":
		return nil
	}
	if name == "" {
		name = f.Name
	}
	if other, taken := names[name]; taken {
		return fmt.Errorf("%s and %s have the same JSON name %q; give one another", at, other, name)
	}
	names[name] = at
	return nil
}

// Proto is protobuf as a codec, for WithCodec and a V that is a generated message, like *pb.Item: Memoize panics for any other. A value comes
// back equal by proto.Equal, unknown fields with it, and nil as nil.
func Proto() Codec { return protoCodec{} }

type protoCodec struct{}

func (protoCodec) Append(dst []byte, v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("lethe: %T is no protobuf message", v)
	}
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend(dst, m)
}

func (protoCodec) Decode(data []byte, v any) error {
	p := reflect.ValueOf(v).Elem()
	fresh := reflect.New(p.Type().Elem())
	m, ok := fresh.Interface().(proto.Message)
	if !ok {
		return fmt.Errorf("lethe: %s is no protobuf message", p.Type())
	}
	if err := proto.Unmarshal(data, m); err != nil {
		return err
	}
	p.Set(fresh)
	return nil
}

func (protoCodec) check(t reflect.Type) error {
	if t.Kind() != reflect.Pointer || !t.Implements(reflect.TypeFor[proto.Message]()) {
		return fmt.Errorf("%s is no protobuf message; Proto takes a V that is a pointer to a generated one, like *pb.Item", t)
	}
	return nil
}

// tried writes a zero value with a codec of the user's own and reads it back, so that one that can't carry a V at all is found when it
// is registered and not at the first hit. Where V is a pointer, it points to a zero value; nil is never given to a codec.
func tried[V any](n *Node, name string, c Codec) error {
	var v, back V
	if t := reflect.TypeFor[V](); t.Kind() == reflect.Pointer {
		reflect.ValueOf(&v).Elem().Set(reflect.New(t.Elem()))
	} else if nilable(t.Kind()) {
		return nil
	}
	var b []byte
	if err := n.guard("codec", name, func() (err error) { b, err = c.Append(nil, v); return err }); err != nil {
		return fmt.Errorf("WithCodec: the codec can't write a zero %T: %w", v, firstLine(err))
	}
	if err := n.guard("codec", name, func() error { return c.Decode(b, &back) }); err != nil {
		return fmt.Errorf("WithCodec: the codec can't read what it wrote of a zero %T; Decode gets a pointer to a zero V, a %T (for a protobuf message see lethe.Proto): %w", v, &back, firstLine(err))
	}
	return nil
}

// firstLine leaves out the stack of a panic.
func firstLine(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(line)
}
