package sim

// actor does the next thing it has to do; code says which.
type actor interface{ act(code int) }

// event is something that happens at a moment. Of two at the same moment that comes first which was arranged first.
type event struct {
	at    int64
	order uint64
	code  int
	who   actor
	in    *node // the process it happens in: not while that is stopped, never once it is dead; nil = outside all
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

// queue is the future: a heap with four children a knot.
type queue struct{ es []event }

func (q *queue) push(e event) {
	q.es = append(q.es, e)
	i := len(q.es) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(&q.es[up]) {
			break
		}
		q.es[i] = q.es[up]
		i = up
	}
	q.es[i] = e
}

func (q *queue) pop() event {
	top := q.es[0]
	n := len(q.es) - 1
	e := q.es[n]
	q.es[n] = event{}
	q.es = q.es[:n]
	if n == 0 {
		return top
	}
	i := 0
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, n); c++ {
			if q.es[c].before(&q.es[least]) {
				least = c
			}
		}
		if !q.es[least].before(&e) {
			break
		}
		q.es[i] = q.es[least]
		i = least
	}
	q.es[i] = e
	return top
}
