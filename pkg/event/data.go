package event

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// appendData writes the data of an event, as CONTRACT has it.
func (e Event) appendData(dst []byte) []byte {
	dst = append(dst, '{')
	if m := e.Manifest; m != nil {
		dst = append(m.appendFields(dst), ',')
	}
	dst = append(dst, `"targets":[`...)
	first := len(dst)
	for _, t := range e.Targets {
		if t.Err() != nil { // only in an event that was not checked
			continue
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = t.appendJSON(dst)
	}
	dst = append(dst, ']')
	if e.Reason != "" {
		dst = appendQuoted(append(dst, `,"reason":`...), e.Reason)
	}
	return append(dst, '}')
}

func (m *Manifest) appendFields(dst []byte) []byte {
	dst = appendQuoted(append(dst, `"kind":`...), m.Kind)
	for _, f := range [...]struct{ name, value string }{
		{"apiVersion", m.APIVersion},
		{"namespace", m.Namespace},
		{"name", m.Name},
		{"uid", m.UID},
		{"resourceVersion", m.ResourceVersion},
		{"action", m.Action},
	} {
		if f.value != "" {
			dst = appendQuoted(append(append(append(dst, `,"`...), f.name...), `":`...), f.value)
		}
	}
	if m.Generation != 0 {
		dst = appendInt(append(dst, `,"generation":`...), m.Generation)
	}
	if len(m.Labels) == 0 {
		return dst
	}
	names := make([]string, 0, len(m.Labels))
	for name := range m.Labels {
		names = append(names, name)
	}
	slices.Sort(names)
	dst = append(dst, `,"labels":{`...)
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(append(appendQuoted(dst, name), ':'), m.Labels[name])
	}
	return append(dst, '}')
}

// body is the data of an event as it was read.
type body struct {
	targets  []Target
	reason   string
	manifest *Manifest
	listed   bool  // "targets" was there, once, and an array
	unknown  int   // targets that were not understood
	problem  error // the first of them
}

// data reads an event's data leniently: fields it does not know are passed over, a target it does not understand is
// counted. An error says that nothing of it is to be believed.
func (s *scanner) body(manifest bool) (b body, err error) {
	more, err := s.open('{', '}')
	if manifest {
		b.manifest = new(Manifest)
	}
	for more && err == nil {
		var name []byte
		if name, err = s.name(); err != nil {
			return b, err
		}
		switch string(name) {
		case "targets":
			if b.listed {
				return b, invalid("targets", "is given twice")
			}
			err = s.targets(&b)
		case "reason":
			if s.peek() == '"' {
				b.reason, err = s.string()
			} else {
				err = s.skip()
			}
		default:
			if !manifest {
				err = s.skip()
			} else {
				err = s.manifestField(b.manifest, string(name))
			}
		}
		if err == nil {
			more, err = s.next('}')
		}
	}
	if err == nil {
		err = s.end()
	}
	return b, err
}

// maxRoom bounds how many targets room is made for before they are read.
const maxRoom = 1024

func (s *scanner) targets(b *body) error {
	b.listed = true
	more, err := s.open('[', ']')
	if more {
		b.targets = make([]Target, 0, min(1+bytes.Count(s.data[s.pos:], []byte{'}'}), maxRoom))
	}
	for more && err == nil {
		if t, ok := s.usual(); ok {
			b.targets = append(b.targets, t)
			more, err = s.next(']')
			continue
		}
		start, depth := s.pos, s.depth
		t, bad := s.target(true)
		if bad != nil { // pass over it; what is no JSON at all fails here
			s.pos, s.depth = start, depth
			if err := s.skip(); err != nil {
				return err
			}
			b.unknown++
			if b.problem == nil {
				b.problem = bad
			}
		} else {
			b.targets = append(b.targets, t)
		}
		more, err = s.next(']')
	}
	return err
}

func (s *scanner) manifestField(m *Manifest, name string) (err error) {
	switch name {
	case "apiVersion":
		m.APIVersion, err = s.string()
	case "kind":
		m.Kind, err = s.string()
	case "namespace":
		m.Namespace, err = s.string()
	case "name":
		m.Name, err = s.string()
	case "uid":
		m.UID, err = s.string()
	case "resourceVersion":
		m.ResourceVersion, err = s.string()
	case "action":
		m.Action, err = s.string()
	case "generation":
		s.peek()
		var token []byte
		if token, err = s.number(); err == nil {
			m.Generation, err = strconv.ParseInt(string(token), 10, 64)
		}
	case "labels":
		s.peek()
		start := s.pos
		if err = s.skip(); err == nil {
			err = json.Unmarshal(s.data[start:s.pos], &m.Labels)
		}
	default:
		err = s.skip()
	}
	return err
}
