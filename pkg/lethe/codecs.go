package lethe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"google.golang.org/protobuf/proto"
)

// JSON is encoding/json as a codec, for WithCodec. A value comes back equal in its JSON: a time.Time without the name of its zone and its monotonic
// reading. Memoize panics for a V of which JSON loses a part: a field that is unexported or left out ("-", omitempty, omitzero), an
// interface, a pointer to what can be nil, an embedded field that another one hides or that writes itself for all. A string that is not UTF-8 makes a value that is not stored, and a
// nil json.RawMessage or an empty json.Number, which would come back as null and 0, one that is not kept in bulk. JSON can't write NaN, infinities and
// the year 10000: the load returns such a value, and it is not stored (see WithoutHot for callers that share the load).
func JSON() Codec { return jsonCodec{} }

type jsonCodec struct{}

var errNotUTF8 = errors.New("lethe: a string is not UTF-8, and JSON would replace parts of it")

func (jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	if r := reflect.ValueOf(v); r.IsValid() && r.Kind() != reflect.Pointer && (r.Kind() == reflect.Struct || r.Kind() == reflect.Array || r.Type().PkgPath() != "") {
		p := reflect.New(r.Type()) // a pointer's method needs an address
		p.Elem().Set(r)
		v = p.Interface()
	}
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
	return jsonCheck{seen: map[seenType]bool{}}.check(t, t.String(), true)
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

// firstLine leaves out the stack of a panic.
func firstLine(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(line)
}
