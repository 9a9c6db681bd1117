package cursor

// Cursor is the accounting of one stream: up to where every message was applied, what was applied beyond, and whether the
// stream still is the one it was.
type Cursor struct {
	at       Message // the last of the contiguous; Time 0 = not known
	floor    Message // where the last Reset put it
	known    uint64  // highest sequence said to exist
	liveAt   int64   // when the newest of the passed messages came on the live feed; 0 = never
	verified bool    // the message at the cursor is the one we saw, on this connection
	suspect  bool    // something held is older than what it would follow
	past     history
	held     map[uint64]holding
	most     int
}

// holding is a message applied beyond a hole. At is 0 where its arrival proves nothing about the feed.
type holding struct{ time, at int64 }

// Position is the sequence up to which everything was applied.
func (c *Cursor) Position() uint64 { return c.at.Seq }

// Known is the highest sequence that is said to exist.
func (c *Cursor) Known() uint64 { return c.known }

// Seen says whether this very message was applied: the same number with the same timestamp.
func (c *Cursor) Seen(m Message) bool {
	t, ok := c.time(m.Seq)
	return ok && t == m.Time
}

// reset puts the cursor at the answer of a Reset.
func (c *Cursor) reset(to Message, most int) {
	c.past.forget()
	c.past.put(to)
	*c = Cursor{at: to, floor: to, known: to.Seq, verified: true, past: c.past, held: make(map[uint64]holding), most: most}
}

// unverify is for a new connection: nothing moves the cursor until the message at it was seen again.
func (c *Cursor) unverify() {
	c.verified, c.suspect = false, false
	clear(c.held)
}

func (c *Cursor) time(seq uint64) (int64, bool) {
	if seq == c.at.Seq && c.at.Time != 0 {
		return c.at.Time, true
	}
	if h, ok := c.held[seq]; ok {
		return h.time, true
	}
	return c.past.time(seq)
}

// vacant says that there was no such message when a Reset put the cursor at its number: not yet, or no longer.
func (c *Cursor) vacant(seq uint64) bool { return seq == c.at.Seq && c.at.Time == 0 }

// behind says whether messages are missing.
func (c *Cursor) behind() bool { return c.known > c.at.Seq || !c.verified }

// live accounts for a message of the live feed; at is when it came, 0 where that proves nothing. fresh says it was new.
func (c *Cursor) live(m Message, at int64) (doubt Cause, fresh bool) {
	if t, ok := c.time(m.Seq); ok {
		if t != m.Time {
			return Reused, false
		}
		return none, false
	}
	if m.Seq <= c.floor.Seq {
		// Not seen, since the Reset put the cursor beyond it: late, if it is older than what the Reset stood on.
		if m.Time > c.floor.Time {
			return Back, false
		}
		return none, false
	}
	if m.Seq <= c.at.Seq {
		return Back, false // older than all that is remembered: it can't be told from a number given twice
	}
	c.known = max(c.known, m.Seq)
	if c.verified && m.Seq == c.at.Seq+1 {
		c.pass(m, at)
		c.drain()
	} else if len(c.held) < c.most {
		c.held[m.Seq] = holding{m.Time, at}
	}
	return none, true
}

// pass moves the cursor over its next message.
func (c *Cursor) pass(m Message, at int64) {
	c.at = m
	c.past.put(m)
	if at != 0 {
		c.liveAt = at
	}
}

// drain passes what was held right behind the cursor. A held message that is older than the one it would follow may be of
// a stream that has since lost it: it waits to be compared with what is stored.
func (c *Cursor) drain() {
	c.suspect = false
	for c.verified {
		h, ok := c.held[c.at.Seq+1]
		if !ok {
			return
		}
		if h.time < c.at.Time {
			c.suspect = true
			return
		}
		delete(c.held, c.at.Seq+1)
		c.pass(Message{c.at.Seq + 1, h.time}, h.at)
	}
}

// answer accounts for what the leader said; since is the highest sequence known when it was asked.
func (c *Cursor) answer(in Info, since uint64) Cause {
	if in.Last < since {
		return Back
	}
	if !c.verified && c.at.Time == 0 {
		return Head // there was nothing at the cursor, so there is nothing that could be seen again
	}
	if t, ok := c.time(in.Last); ok && in.LastTime != 0 && t != in.LastTime || c.vacant(in.Last) && in.LastTime != 0 {
		return Reused
	}
	if in.First > c.at.Seq+1 {
		return Head
	}
	c.known = max(c.known, in.Last)
	if !c.verified && in.Last == c.at.Seq {
		if c.at.Time != in.LastTime {
			return Head // what stood at the cursor is gone, so nothing shows that this is the stream it was
		}
		c.verified = true
		c.drain()
	}
	return none
}

// fetched accounts for stored messages read from sequence from, which was the cursor; moved says that it got further.
func (c *Cursor) fetched(from uint64, ms []Message) (doubt Cause, moved bool) {
	for i, m := range ms {
		if t, ok := c.time(m.Seq); ok && t != m.Time || c.vacant(m.Seq) {
			return Reused, moved
		}
		if i == 0 && from == c.at.Seq {
			if m.Seq > from && c.at.Time != 0 {
				return Head, false
			}
			c.verified = true
		}
		switch {
		case m.Seq <= c.at.Seq:
		case !c.verified:
			return none, moved
		case m.Seq == c.at.Seq+1:
			h := c.held[m.Seq]
			delete(c.held, m.Seq)
			c.known = max(c.known, m.Seq)
			c.pass(m, h.at)
			moved = true
		case moved:
			return none, true // lost on the way here: the next fetch begins behind the cursor
		case i == 0:
			return Head, false
		default:
			return Hole, false
		}
	}
	c.drain()
	return none, moved
}
