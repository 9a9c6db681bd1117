package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// AttributeKeyShape tells of an event with hashed keys what their arguments look like: the first 4 bytes, in hexadecimal, of the
// SHA-256 of their shape; "mixed" where they are not all alike. The shape is the canonical key with every string replaced by s,
// every number by n, every bool by b and every null by z, so that ["sku-42",{"page":2}] has the shape [s,{"page":n}]. A reader
// whose function takes other arguments forgets the whole function; one that does not know the attribute passes it over.
const AttributeKeyShape = "lethekeyshape"

// shapeMixed is the text for keys of several shapes, which is also what a reader makes of a text it does not understand.
const shapeMixed = "mixed"

// shape is a digest of what a key's arguments look like.
type shape uint32

const (
	shapeUnknown shape = iota // nothing was said
	shapeAny                  // of several keys, or illegible: no function's
)

const shapeFirst = 2 // the lowest of a digest

// shapeOf is the digest of a canonical key's shape.
func shapeOf(canonical string) shape {
	var room [128]byte
	sum := sha256.Sum256(appendShape(room[:0], canonical))
	return max(shape(binary.BigEndian.Uint32(sum[:4])), shapeFirst)
}

// appendShape replaces the values of a canonical text; the names in objects stay.
func appendShape(dst []byte, text string) []byte {
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '"':
			end := stringEnd(text, i)
			if end < len(text) && text[end] == ':' { // no value of a canonical text is followed by a colon
				dst = append(dst, text[i:end]...)
			} else {
				dst = append(dst, 's')
			}
			i = end
		case '{', '}', '[', ']', ',', ':':
			dst = append(dst, c)
			i++
		default:
			dst = append(dst, scalar(c))
			for i < len(text) && text[i] != ',' && text[i] != ']' && text[i] != '}' {
				i++
			}
		}
	}
	return dst
}

func scalar(first byte) byte {
	switch first {
	case 't', 'f':
		return 'b'
	case 'n':
		return 'z'
	}
	return 'n'
}

// stringEnd is where what follows the string begins that begins at i.
func stringEnd(text string, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// SameShape says whether the arguments of two hashed keys look alike: their count, and of each the kind of JSON and the names of its
// fields. Where that isn't known of one of them it says true.
func (t Target) SameShape(u Target) bool {
	return t.shape == u.shape && t.shape != shapeAny || t.shape == shapeUnknown || u.shape == shapeUnknown
}

// keyShape is the event's AttributeKeyShape; empty where no key tells its shape.
func (e Event) keyShape() string {
	var known shape
	first := true
	for i := range e.Targets {
		t := &e.Targets[i]
		switch {
		case !t.hashed:
		case first:
			known, first = t.shape, false
		case known != t.shape:
			return shapeMixed
		}
	}
	return known.String()
}

// String is the text on the wire.
func (s shape) String() string {
	switch s {
	case shapeUnknown:
		return ""
	case shapeAny:
		return shapeMixed
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(s))
	return hex.EncodeToString(b[:])
}

// parseShape reads the text on the wire.
func parseShape(text string) shape {
	v, err := strconv.ParseUint(text, 16, 32)
	if s := shape(v); err == nil && s.String() == text {
		return s
	}
	return shapeAny
}

// tellShape gives hashed keys the shape that their event tells of.
func tellShape(targets []Target, text string) {
	if text == "" {
		return
	}
	s := parseShape(text)
	for i := range targets {
		if targets[i].hashed {
			targets[i].shape = s
		}
	}
}
