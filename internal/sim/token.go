package sim

// token is what a caller gets for an event, and what the truth knows of it.
type token struct {
	epoch  string
	seq    uint64
	m      *message // the one that was acknowledged
	claims []claim  // what the caller had changed
	blind  bool     // it was found reached while the node could not know that the stream was another one (decision 8)
}

// tokens are the last that were given out.
type tokens struct {
	ring [32]token
	n    int
}

func (t *tokens) put(k token) {
	t.ring[t.n%len(t.ring)] = k
	t.n++
}

// any draws one, mostly of the latest.
func (t *tokens) any(r *rnd) *token {
	if t.n == 0 {
		return nil
	}
	back := 1 + r.below(min(3, t.n))
	if r.chance(2000) {
		back = 1 + r.below(min(len(t.ring), t.n))
	}
	k := t.ring[(t.n-back)%len(t.ring)]
	return &k
}
