package document

// place is where a value of a document stands, and what it holds.
type place struct {
	line  int
	names []string // of an object's members, in the order of below
	below []below
}

// below is a member or an element: its line is that of its key, the value may begin further down. Places are shared by
// aliases, lines are not.
type below struct {
	line int
	*place
}

// find walks along a field as far as there is something, and returns the line of the last thing found.
func (p *place) find(field string) int {
	line := p.line
	for at := p; field != ""; {
		name, item, rest, ok := cut(field)
		if !ok {
			return line
		}
		var next *below
		if item >= 0 {
			if at.names == nil && item < len(at.below) {
				next = &at.below[item]
			}
		} else {
			for i, n := range at.names {
				if n == name {
					next = &at.below[i]
					break
				}
			}
		}
		if next == nil {
			return line
		}
		line, at, field = next.line, next.place, rest
	}
	return line
}

// member is the place of a member, or nil.
func (p *place) member(name string) *place {
	for i, n := range p.names {
		if n == name {
			return p.below[i].place
		}
	}
	return nil
}
