package bus

import "sync"

// echoesMost bounds the table. The oldest falls out, and then its event is applied like anyone's.
const echoesMost = 4096

// echoes are the events this node fenced before it published them: when they come back there is nothing to fence. A reused
// id of somebody else is told apart by its source, and a second copy of an event is applied.
type echoes struct {
	mu    sync.Mutex // guards what follows
	ids   map[echo]struct{}
	order []echo // as added; may name some that are gone
}

type echo struct{ source, id string }

func (e *echoes) add(source, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ids == nil {
		e.ids = make(map[echo]struct{})
	}
	k := echo{source, id}
	e.ids[k] = struct{}{}
	e.order = append(e.order, k)
	for len(e.ids) > echoesMost || len(e.order) > 2*echoesMost {
		delete(e.ids, e.order[0])
		e.order = e.order[1:]
	}
}

// take says whether the event is one of them, once.
func (e *echoes) take(source, id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := echo{source, id}
	_, ok := e.ids[k]
	delete(e.ids, k)
	return ok
}

// forget empties the table: after a Reset nothing that comes back may be skipped.
func (e *echoes) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ids, e.order = nil, nil
}
