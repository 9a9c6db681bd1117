package event

import (
	"encoding/base64"
	"sort"
	"strings"
)

// misread is why attributes or data could not be read.
type misread struct{ reason, detail string }

// read fills the attributes from ce-* headers of any letter case, or from a structured body, and returns the event's data.
func (a *attributes) read(e *Event, header map[string][]string, body []byte) ([]byte, *misread) {
	structured, size := false, len(body)
	given := 0
	var odd []string
	for key, values := range header {
		if len(values) == 0 {
			continue
		}
		switch {
		case isAttribute(key):
			given++
			for _, v := range values {
				size += len(key) + len(v)
			}
			if len(values) > 1 || strings.ToLower(key) != key {
				odd = append(odd, key)
				continue
			}
			a.assign(e, key[3:], unescapeHeader(values[0]))
		case strings.EqualFold(key, "content-type"):
			const mark = "application/cloudevents"
			v := strings.TrimSpace(values[len(values)-1])
			structured = structured || len(v) >= len(mark) && strings.EqualFold(v[:len(mark)], mark)
		}
	}
	if size > MaxSize || structured || given == 0 {
		*a, *e = attributes{}, Event{Targets: e.Targets} // what the headers said does not count
		if size > MaxSize {
			return nil, &misread{WidenedSize, "more than 64 KiB"}
		}
		return a.structured(e, body)
	}
	return body, a.odd(e, header, odd)
}

func isAttribute(key string) bool {
	return len(key) > 3 && key[0]|0x20 == 'c' && key[1]|0x20 == 'e' && key[2] == '-'
}

// odd reads the ce-* headers that are not in lower case, or there more than once. Where one is there twice with other values,
// those that decide how the data is read make the event unreadable; of the others the lower-case spelling wins, then the first
// in the order of bytes.
func (a *attributes) odd(e *Event, header map[string][]string, odd []string) *misread {
	sort.Strings(odd) // a map has no order; what is received has to mean the same on every node
	for _, key := range odd {
		for _, v := range header[key] {
			if !a.again(e, strings.ToLower(key[3:]), unescapeHeader(v)) {
				return &misread{WidenedUnreadable, "header " + clip(key) + " contradicts another"}
			}
		}
	}
	return nil
}

// again assigns what may be there already.
func (a *attributes) again(e *Event, name, value string) bool {
	had := ""
	switch name {
	case "specversion":
		had = a.specversion
	case "datacontenttype":
		had = a.datacontenttype
	case AttributeKeyShape:
		had = a.keyShape
	case "type":
		had = e.Type
	case "id":
		had = e.ID
	case "source":
		had = e.Source
	case "subject":
		had = e.Subject
	case "authtype":
		had = e.ActorType
	case "authid":
		had = e.ActorID
	case "time":
		if !e.Time.IsZero() {
			return true
		}
	default:
		had = e.Extensions[name]
	}
	if had == "" {
		a.assign(e, name, value)
		return true
	}
	return had == value || (name != "specversion" && name != "datacontenttype" && name != "type")
}

// structured reads a JSON event.
func (a *attributes) structured(e *Event, body []byte) ([]byte, *misread) {
	s := scanner{data: body}
	var plain, coded []byte
	seen := make(map[string]bool, 12)
	more, err := s.open('{', '}')
	for more && err == nil {
		var name string
		if name, err = s.key(seen); err != nil {
			break
		}
		s.peek()
		start := s.pos
		switch name {
		case "data":
			err = s.skip()
			plain = body[start:s.pos]
		case "data_base64":
			coded, err = s.text()
		default:
			err = s.attribute(a, e, name)
		}
		if err == nil {
			more, err = s.next('}')
		}
	}
	if err == nil {
		err = s.end()
	}
	switch {
	case err != nil:
		return nil, &misread{WidenedUnreadable, "no structured event: " + err.Error()}
	case coded == nil:
		return plain, nil
	case plain != nil:
		return nil, &misread{WidenedUnreadable, "data and data_base64"}
	}
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(coded)))
	n, err := base64.StdEncoding.Decode(decoded, coded)
	if err != nil {
		return nil, &misread{WidenedUnreadable, "data_base64: " + err.Error()}
	}
	return decoded[:n], nil
}

// attribute reads a string, number or bool of a structured event; null is an attribute that is not there, and what can't be
// an attribute is passed over.
func (s *scanner) attribute(a *attributes, e *Event, name string) error {
	start := s.pos
	if s.peek() == '"' {
		text, err := s.string()
		if err == nil {
			a.assign(e, name, text)
		}
		return err
	}
	c := s.peek()
	if err := s.skip(); err != nil {
		return err
	}
	if c != '{' && c != '[' && c != 'n' {
		a.assign(e, name, string(s.data[start:s.pos]))
	}
	return nil
}
