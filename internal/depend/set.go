package depend

// MaxLabels bounds the labels of an entry, the one of everything not counted. A set that would grow beyond is collapsed:
// coarser, never dropped. It has room for 64 tags of four levels, each of which brings five boundaries, and as many others.
const MaxLabels = 512

// maxScanned is up to how many labels are compared one by one; over it an index is kept.
const maxScanned = 32

// Set is a bounded set of labels. Over [MaxLabels] its labels are replaced by their any labels, and if those are too many by
// the global any label. The zero Set is empty and ready; it is not safe for concurrent use.
type Set struct {
	labels []Label
	index  map[Label]struct{} // of labels, where they are many
	level  int                // 0: as added; 1: any labels; 2: the global any label
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
	if s.has(l) {
		return
	}
	if len(s.labels) < MaxLabels {
		s.put(l)
		return
	}
	s.level++
	old := s.labels
	s.index = nil
	if s.level == 2 {
		g := GlobalAny()
		s.labels = []Label{{Hash: g, Any: g}}
		return
	}
	s.labels = nil
	s.Add(old...)
	s.add(l)
}

// has compares both hashes: where only one collides, each label keeps its any label.
func (s *Set) has(l Label) bool {
	if s.index != nil {
		_, ok := s.index[l]
		return ok
	}
	for _, have := range s.labels {
		if have == l {
			return true
		}
	}
	return false
}

func (s *Set) put(l Label) {
	s.labels = append(s.labels, l)
	switch {
	case s.index != nil:
		s.index[l] = struct{}{}
	case len(s.labels) > maxScanned:
		s.index = make(map[Label]struct{}, 4*maxScanned)
		for _, have := range s.labels {
			s.index[have] = struct{}{}
		}
	}
}

// Labels returns the labels; the slice is the set's own.
func (s *Set) Labels() []Label { return s.labels }

// Collapsed reports whether labels stand for more than what was added.
func (s *Set) Collapsed() bool { return s.level > 0 }
