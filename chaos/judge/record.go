package judge

// Outcome is how a read was answered.
type Outcome string

// Outcomes. Those of lethe.Lookup have its words.
const (
	Hit      Outcome = "hit"
	Miss     Outcome = "miss"
	Stale    Outcome = "stale"
	Bypass   Outcome = "bypass"
	Many     Outcome = "many" // by GetMany, which does not say how it was answered
	Peeked   Outcome = "peek"
	Negative Outcome = "negative"
)

// Read is one key and version that a read brought.
type Read struct {
	Func       string
	Key        int
	Begin, End int64
	Outcome    Outcome
	Need       int64 // the version of the token that the read came with; 0 = none
	Version    int64
}

// Cover is a key and the version up to which an invalidation replaced what there was of it.
type Cover struct {
	Key     int   `json:"key"`
	Version int64 `json:"version"`
}

// Applied says that a node has applied an invalidation: at End at the latest.
type Applied struct {
	How        string // wait, receive or local
	Begin, End int64
	Soft       bool // stale serving may go on
	Covers     []Cover
}

// Commit is a version written to the database.
type Commit struct {
	Cover
	Begin, End int64
}

// Stored is an acknowledged invalidation.
type Stored struct {
	Sequence uint64
	Stamp    int64 // of the leader that took it in; 0 = not known
	Seen     int64 // when somebody first saw it stored
	Soft     bool
	Covers   []Cover
}
