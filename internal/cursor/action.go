package cursor

// Do is what an Action asks for.
type Do int

const (
	// Fence everything hard, before the next Action.
	Fence Do = iota + 1
	// Grant the lease until End on the owner's clock; 0 takes it away.
	Grant
	// Done tells that a Reset because of Cause has put the cursor at the stream's end.
	Done
	// Ping the server and report the round trip with Pong.
	Ping
	// Ask the stream's leader for its identity and state and report them with Answered.
	Ask
	// Fetch stored messages with sequence From and above, at most Messages, and no further one once Bytes are reached, and report
	// them with Fetched. To is the last that is known of.
	Fetch
	// Tick stores a message and reports its ack with Ticked. Fresh: under an id of its own, not the one all nodes share in
	// that second. Lost: it says that sequences were reused.
	Tick
)

// Action is something the owner of a Follower has to do. Fence, Grant and Done are done at once; Ping, Ask, Fetch and Tick
// may take their time, are reported exactly once with their ID, and there is at most one of each under way whose report
// counts.
type Action struct {
	Do          Do
	ID          uint64
	From, To    uint64
	Bytes       int
	Messages    int
	End         int64
	Cause       Cause
	Fresh, Lost bool
}

// Cause of a Reset; the label of resets_total.
type Cause string

// Causes.
const (
	Start    Cause = "start"   // the node has just begun
	Epoch    Cause = "epoch"   // the stream is another one
	Reused   Cause = "reused"  // another message has the number of one we saw
	Back     Cause = "back"    // numbers went back
	Head     Cause = "head"    // what comes after the cursor is no longer kept
	Hole     Cause = "hole"    // a stored message was taken out of the stream
	Backlog  Cause = "backlog" // too far behind, and catching up does not gain on the stream
	LostTold Cause = "lost"    // another node saw numbers reused
	none     Cause = ""        // no doubt
)

// Causes are those of a Reset that is none of a node's start.
func Causes() []Cause { return []Cause{Epoch, Reused, Back, Head, Hole, Backlog, LostTold} }

// reuse says whether others may have missed something because numbers were given twice.
func (c Cause) reuse() bool { return c == Reused || c == Back }

// Message is one stored message as the server numbered and timed it, Unix nanoseconds.
type Message struct {
	Seq  uint64
	Time int64
}

// Arrival is a Message on the live feed: when it arrived on the owner's clock, on which connection (counted up with each
// reconnect) and as which message of the feed (counted up).
type Arrival struct {
	Message
	At     int64
	Conn   uint64
	Number uint64
}

// Info is the leader's answer to Ask. Asked is when the question was sent, At when the answer came, First and Last the
// sequences kept (First = Last+1 when there are none), LastTime the timestamp of Last, 0 if it is not kept.
type Info struct {
	Epoch       string
	First, Last uint64
	LastTime    int64
	Asked, At   int64
}
