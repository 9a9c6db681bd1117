package cursor

// Lease is the proof of being current: the latest moment the node was current as of, and what would prove a later one.
type Lease struct {
	max    int64 // MaxStaleness
	asOf   int64 // 0 = none
	claims []claim
}

// claim says: who has everything up to target was current as of at; or, where the claim is the leader's word alone, as of
// the newest live arrival if that is earlier (a leader cut off from its quorum answers, but its feed is silent).
type claim struct {
	target uint64
	at     int64
	word   bool
}

// claimsMost bounds what is waited for at a time. More than a few means a long catch-up, and then the next will do.
const claimsMost = 16

// AsOf is the moment the node is provably current as of, on its owner's clock; 0 = none.
func (l *Lease) AsOf() int64 { return l.asOf }

// End is when the lease ends; 0 = there is none.
func (l *Lease) End() int64 {
	if l.asOf == 0 {
		return 0
	}
	return l.asOf + l.max
}

// drop takes the lease away with all that was on the way to renew it.
func (l *Lease) drop() {
	l.asOf = 0
	l.claims = l.claims[:0]
}

// disclaim forgets what is on the way; the lease that is held stays.
func (l *Lease) disclaim() { l.claims = l.claims[:0] }

func (l *Lease) claim(c claim) {
	if c.at <= l.asOf || len(l.claims) >= claimsMost {
		return
	}
	l.claims = append(l.claims, c)
}

// settle counts the claims that the cursor has reached and says whether the lease got longer. The leader's word is kept
// until the feed confirms it or a later word is reached.
func (l *Lease) settle(cursor uint64, liveAt int64) bool {
	before := l.asOf
	var word claim
	rest := l.claims[:0]
	for _, c := range l.claims {
		switch {
		case c.target > cursor:
			rest = append(rest, c)
		case !c.word:
			l.asOf = max(l.asOf, c.at)
		default:
			l.asOf = max(l.asOf, min(c.at, liveAt))
			if c.at > word.at {
				word = c
			}
		}
	}
	if word.at > l.asOf {
		rest = append(rest, word)
	}
	l.claims = rest
	return l.asOf > before
}
