package depend

// MaxLabels bounds the labels of an entry, the one of everything not counted. A set that would grow beyond is collapsed:
// coarser, never dropped.
const MaxLabels = 64

// Set is a bounded set of labels. Over [MaxLabels] its labels are replaced by their any labels, and if those are too many by
// the global any label. The zero Set is empty and ready; it is not safe for concurrent use.
type Set struct {
	labels []Label
	level  int // 0: as added; 1: any labels; 2: the global any label
}

// Add adds labels and collapses where they are too many.
func (s *Set) Add(labels ...Label) {
	for _, l := range labels {
		s.add(l)
	}
}

func (s *Set) add(l Label) {
	switch s.level {
	case 1:
		l = Label{Hash: l.Any, Any: l.Any}
	case 2:
		return
	}
	for _, have := range s.labels {
		if have == l { // both hashes: where only one collides, each keeps its any label
			return
		}
	}
	if len(s.labels) < MaxLabels {
		s.labels = append(s.labels, l)
		return
	}
	s.level++
	old := s.labels
	if s.level == 2 {
		g := GlobalAny()
		s.labels = []Label{{Hash: g, Any: g}}
		return
	}
	s.labels = nil
	s.Add(old...)
	s.add(l)
}

// Labels returns the labels; the slice is the set's own.
func (s *Set) Labels() []Label { return s.labels }

// Collapsed reports whether labels stand for more than what was added.
func (s *Set) Collapsed() bool { return s.level > 0 }
