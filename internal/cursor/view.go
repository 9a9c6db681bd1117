package cursor

// View is what a Follower knows, for those who ask from elsewhere.
type View struct {
	Epoch    string // "" before the first answer
	Cursor   uint64 // everything up to it was applied, or fenced by a Reset
	Known    uint64 // highest sequence that is said to exist
	Last     uint64 // the answer of the last Reset
	AsOf     int64  // the moment the node is provably current as of; 0 = none
	End      int64  // of the lease; 0 = none
	Healed   uint64 // holes closed by fetching
	Standing bool   // the cursor means something: no Reset is waiting for its answer
	Sure     bool   // on this connection the stream was seen to be the one the cursor stands in
	Ready    bool   // was leased at least once

	gen uint64
}

// Behind is how many messages are missing, as far as is known.
func (f *Follower) Behind() uint64 { return f.cur.known - min(f.cur.at.Seq, f.cur.known) }

// View returns a snapshot.
func (f *Follower) View() View {
	return View{
		Epoch: f.epoch, Cursor: f.cur.at.Seq, Known: f.cur.known, Last: f.end, AsOf: f.lease.AsOf(), End: f.lease.End(),
		Healed: f.healed, Standing: f.phase != resetting, Sure: f.phase != resetting && f.up && f.cur.verified, Ready: f.ready, gen: f.gen,
	}
}

// Sending returns the Ticket for one attempt of a publish that begins now, each attempt its own.
func (v View) Sending(now int64) Ticket { return Ticket{gen: v.gen, known: v.Known, at: now} }

// Seen says whether this very message was applied already, so that fetching it again need not apply it again.
func (f *Follower) Seen(m Message) bool { return f.phase != resetting && f.cur.Seen(m) }
