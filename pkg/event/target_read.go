package event

import "strings"

// form is a target as it stands on the wire. A field is given when its bit is set.
type form struct {
	function, tag, prefix string
	args, hash            string
	all, soft             bool
	given                 fields
}

type fields uint8

const (
	givenFunction fields = 1 << iota
	givenTag
	givenPrefix
	givenAll
	givenArgs
	givenHash
	givenSoft
)

// target reads one target. Lenient, a prefix that ends within a level is read as the boundary above it, which is a longer
// list of things to forget; everything else that is not understood is an error, whoever asks.
func (s *scanner) target(lenient bool) (Target, error) {
	f, err := s.form()
	if err != nil {
		return Target{}, err
	}
	var t Target
	switch f.given &^ givenSoft {
	case givenFunction:
		t = Function(f.function)
	case givenFunction | givenArgs:
		t = FromCanonical(f.function, f.args)
	case givenFunction | givenHash:
		if !legalHash(f.hash) {
			return Target{}, invalid("argsHash", "%q: use the unpadded base64url of %d bytes", clip(f.hash), hashSize)
		}
		t = FromCanonical(f.function, f.hash)
		t.hashed = true
	case givenTag:
		t = Tag(f.tag)
	case givenPrefix:
		if lenient {
			boundary := f.prefix[:1+strings.LastIndexAny(f.prefix, ":/")]
			if boundary != f.prefix {
				s.cut++
			}
			f.prefix = boundary
		}
		t = TagPrefix(f.prefix)
	case givenAll:
		if !f.all {
			return Target{}, invalid("all", `has to be true, or left out`)
		}
		t = All()
	default:
		return Target{}, invalid("", `use one of function (with args or argsHash, or neither), tag, tagPrefix, and all`)
	}
	t.soft = f.soft
	if t.err != nil {
		return Target{}, t.err
	}
	return t, nil
}

func (s *scanner) form() (f form, err error) {
	more, err := s.open('{', '}')
	for more && err == nil {
		var name []byte
		if name, err = s.name(); err != nil {
			return f, err
		}
		if err := s.field(&f, name); err != nil {
			return f, err
		}
		more, err = s.next('}')
	}
	return f, err
}

func (s *scanner) field(f *form, name []byte) error {
	var (
		bit  fields
		text *string
		flag *bool
	)
	switch string(name) {
	case "function":
		bit, text = givenFunction, &f.function
	case "tag":
		bit, text = givenTag, &f.tag
	case "tagPrefix":
		bit, text = givenPrefix, &f.prefix
	case "argsHash":
		bit, text = givenHash, &f.hash
	case "args":
		bit = givenArgs
	case "all":
		bit, flag = givenAll, &f.all
	case "soft":
		bit, flag = givenSoft, &f.soft
	default:
		return invalid(clip(string(name)), "is no field of a target")
	}
	if f.given&bit != 0 {
		return invalid(string(name), "is given twice")
	}
	f.given |= bit
	var err error
	switch {
	case text != nil:
		*text, err = s.string()
	case flag != nil:
		*flag, err = s.bool()
	default:
		f.args, err = s.args()
	}
	if err != nil {
		return within(string(name), asError(err))
	}
	return nil
}

func (s *scanner) string() (string, error) {
	text, err := s.text()
	if string(text) == s.known {
		return s.known, err
	}
	return string(text), err
}

func (s *scanner) bool() (bool, error) {
	s.peek()
	word, err := s.word()
	if err == nil && word == "null" {
		err = invalid("", "has to be true or false")
	}
	return word == "true", err
}

func (s *scanner) args() (string, error) {
	if s.peek() != '[' {
		return "", s.fail("an array of arguments")
	}
	start := s.pos
	key, err := s.canonical(s.scratch[:0])
	if err != nil {
		return "", err
	}
	s.scratch = key
	if s.whole != "" && string(key) == s.whole[start:s.pos] { // canonical as it stands
		return s.whole[start:s.pos], nil
	}
	return string(key), nil
}
