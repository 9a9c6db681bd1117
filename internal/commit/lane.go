package commit

// lane is what is published one batch after the other. It exists while it has something to publish.
type lane[T Item, V comparable, D any] struct {
	busy    bool
	waiting []*Batch[T, V, D]
	open    map[V]*Batch[T, V, D] // the last begun of each voice
	of      map[said[T, V]]*Batch[T, V, D]
	wide    *Batch[T, V, D] // waits, and covers whatever is joined meanwhile
}

// said is an item by a voice.
type said[T Item, V comparable] struct {
	item  T
	voice V
}

// take removes the first batch: from now on nothing joins it.
func (l *lane[T, V, D]) take() *Batch[T, V, D] {
	b := l.waiting[0]
	l.waiting = l.waiting[1:]
	if l.wide == b {
		l.wide = nil
	}
	if l.open[b.Voice] == b {
		delete(l.open, b.Voice)
	}
	for item := range b.has {
		delete(l.of, said[T, V]{item, b.Voice})
	}
	return b
}

// readyLanes are the lanes that wait and are not busy, a heap by when their first batch is due.
type readyLanes[T Item, V comparable, D any] []*lane[T, V, D]

func (r readyLanes[T, V, D]) Len() int           { return len(r) }
func (r readyLanes[T, V, D]) Less(i, j int) bool { return r[i].waiting[0].due < r[j].waiting[0].due }
func (r readyLanes[T, V, D]) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }

// Push is for container/heap.
func (r *readyLanes[T, V, D]) Push(x any) { *r = append(*r, x.(*lane[T, V, D])) } //nolint:forcetypeassert,errcheck // nothing else is pushed

// Pop is for container/heap.
func (r *readyLanes[T, V, D]) Pop() any {
	old := *r
	l := old[len(old)-1]
	*r = old[:len(old)-1]
	return l
}
