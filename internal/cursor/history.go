package cursor

// remembered is how many timestamps a history keeps.
const remembered = 1024

// history knows the timestamps of the last messages that were applied, by sequence.
type history struct{ slots [remembered]Message }

func (h *history) put(m Message) {
	if m.Time != 0 {
		h.slots[m.Seq%remembered] = m
	}
}

func (h *history) time(seq uint64) (int64, bool) {
	m := h.slots[seq%remembered]
	return m.Time, m.Seq == seq && m.Time != 0
}

func (h *history) forget() { h.slots = [remembered]Message{} }
