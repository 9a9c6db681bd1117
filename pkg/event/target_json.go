package event

import "errors"

// appendJSON writes the wire form: {"function":"catalog.price","args":["sku-42"]}.
func (t Target) appendJSON(dst []byte) []byte {
	switch t.class {
	case classKey:
		dst = append(append(dst, `{"function":"`...), t.name...)
		if t.hashed {
			dst = append(append(append(dst, `","argsHash":"`...), t.key...), '"')
		} else {
			dst = append(append(dst, `","args":`...), t.key...)
		}
	case classFunction:
		dst = append(append(append(dst, `{"function":"`...), t.name...), '"')
	case classTag:
		dst = appendQuoted(append(dst, `{"tag":`...), t.name)
	case classPrefix:
		dst = appendQuoted(append(dst, `{"tagPrefix":`...), t.name)
	case classAll:
		dst = append(dst, `{"all":true`...)
	default: // a target with an error is never written
		dst = append(dst, '{')
	}
	if t.soft {
		dst = append(dst, `,"soft":true`...)
	}
	return append(dst, '}')
}

// Size is how many bytes t adds to an event's data, its comma included.
func (t Target) Size() int {
	var n int
	switch t.class {
	case classKey:
		n = len(`{"function":"","args":},`) + len(t.name) + len(t.key)
		if t.hashed {
			n += len(`Hash""`)
		}
	case classFunction:
		n = len(`{"function":""},`) + len(t.name)
	case classTag:
		n = len(`{"tag":""},`) + quotedSize(t.name)
	case classPrefix:
		n = len(`{"tagPrefix":""},`) + quotedSize(t.name)
	default:
		n = len(`{"all":true},`)
	}
	if t.soft {
		n += len(`,"soft":true`)
	}
	return n
}

// quotedSize is len(appendQuoted) without the quotes, for text without control characters.
func quotedSize(s string) int {
	n := len(s)
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			n++
		}
	}
	return n
}

// MarshalJSON is the wire form. The error is Err's. What a hashed key's arguments look like (SameShape) is not in it: the event says
// that.
func (t Target) MarshalJSON() ([]byte, error) {
	if err := t.Err(); err != nil {
		return nil, err
	}
	return t.appendJSON(make([]byte, 0, t.Size())), nil
}

// UnmarshalJSON takes the wire form and nothing else: an unknown or doubled field, an illegal name and a prefix without its
// ending are errors that name the field.
func (t *Target) UnmarshalJSON(data []byte) error {
	s := scanner{data: data}
	read, err := s.target(false)
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return within("target", asError(err))
	}
	*t = read
	return nil
}

// asError gives an error of the scanner, which knows no field, the shape of all others.
func asError(err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return &Error{Problem: "can't be read", Err: err}
}
