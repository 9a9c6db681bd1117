package bus

import "strings"

// sources counts who has sent what a node that is behind has to catch up with, so that a log line can name the one that fills
// the stream. The count is that of Misra and Gries: a source of more than one in sourcesMost of all stays in the table,
// however many there are.
type sources struct {
	of  map[string]uint64
	all uint64
}

// Bounds of the table, and of what is kept of a name in it.
const (
	sourcesMost = 64
	sourceBytes = 256
)

func (s *sources) add(source string) {
	s.all++
	if len(source) > sourceBytes {
		source = strings.Clone(source[:sourceBytes])
	}
	if _, ok := s.of[source]; ok || len(s.of) < sourcesMost {
		if s.of == nil {
			s.of = make(map[string]uint64)
		}
		s.of[source]++
		return
	}
	for k := range s.of {
		s.of[k]--
		if s.of[k] == 0 {
			delete(s.of, k)
		}
	}
}

// most is the source of most of them, the least number it has sent, and of how many.
func (s *sources) most() (source string, sent, all uint64) {
	for k, n := range s.of {
		if n > sent || n == sent && k < source {
			source, sent = k, n
		}
	}
	return source, sent, s.all
}

// forget begins anew: the node has caught up, or everything was forgotten.
func (s *sources) forget() {
	if s.all > 0 {
		*s = sources{}
	}
}
