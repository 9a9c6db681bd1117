package lethe

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
)

// errPrefix is the error of a codec of the user's own that does not append.
var errPrefix = errors.New("Append returned bytes that do not begin with dst; append to dst and return the result, " +
	"like `return append(dst, data...), nil`")

// appendValue asks a codec to append v to dst. Every call of Append goes through here. The codecs of this package keep dst; of
// any other one the result is compared with a copy of it, since Append may also have written over dst itself. The error leaves
// dst to nobody: what it held may be changed.
func appendValue(codec Codec, dst []byte, v any) ([]byte, error) {
	switch codec.(type) {
	case msgpackCodec, jsonCodec, protoCodec:
		return codec.Append(dst, v)
	}
	before := buffer()
	defer release(before)
	*before = append(*before, dst...)
	b, err := codec.Append(dst, v)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(b, *before) {
		return nil, errPrefix
	}
	return b, nil
}

// tried writes a zero value with a codec of the user's own and reads it back, so that one that can't carry a V at all is found
// when it is registered and not at the first hit. Append gets an empty dst, a full one, and one with room behind it. Where V is
// a pointer, it points to a zero value, and a slice or map is empty: nil is never given to a codec.
func tried[V any](n *Node, name string, c Codec) error {
	var v V
	switch t := reflect.TypeFor[V](); t.Kind() {
	case reflect.Pointer:
		reflect.ValueOf(&v).Elem().Set(reflect.New(t.Elem()))
	case reflect.Slice:
		reflect.ValueOf(&v).Elem().Set(reflect.MakeSlice(t, 0, 0))
	case reflect.Map:
		reflect.ValueOf(&v).Elem().Set(reflect.MakeMap(t))
	case reflect.Interface:
		return nil
	default:
	}
	const head = "lethe"
	for _, dst := range [][]byte{[]byte(head)[:len(head):len(head)], append(make([]byte, 0, 4<<10), head...), nil} {
		var b []byte
		var back V
		given := len(dst)
		err := n.guard("codec", name, func() (err error) { b, err = appendValue(c, dst, v); return err })
		switch {
		case errors.Is(err, errPrefix):
			return fmt.Errorf("WithCodec: %T: %w", c, err)
		case err != nil:
			return fmt.Errorf("WithCodec: the codec can't write a zero %T: %w", v, firstLine(err))
		}
		if err := n.guard("codec", name, func() error { return c.Decode(b[given:], &back) }); err != nil {
			return fmt.Errorf("WithCodec: the codec can't read what it wrote of a zero %T; Decode gets a pointer to a zero V, a %T (for a protobuf message see lethe.Proto): %w", v, &back, firstLine(err))
		}
	}
	return nil
}
