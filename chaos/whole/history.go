package whole

// Row is one change of one object, as the database wrote it down.
type Row struct {
	Object  string
	Version int64  // of a Gone one 0: the database does not say
	Spec    string // canonical JSON
	Gone    bool
}

// Doc is what a call wants of an object, or what it saw.
type Doc struct {
	Object string
	Spec   string // canonical JSON; empty: anything
	Guard  int64  // the version it has to be at; 0: any
	Gone   bool   // it is to be deleted; of a list: it was not there

	Version int64 // that the answer names; 0: none
	Changed bool  // by the answer
}

// Outcome of a call.
type Outcome int

const (
	// Unknown is that nobody answered.
	Unknown Outcome = iota
	// Done is all that the documents say.
	Done
	// Refused is that nothing of it may be there.
	Refused
)

// Call is what one caller asked for. A list has Look, and what it saw as documents: all objects there are.
type Call struct {
	ID         string
	Look       bool
	Docs       []Doc
	Outcome    Outcome
	Begin, End int64 // by one clock; an unknown one has no end
}

// Said is an event about one object, in the order of the stream.
type Said struct {
	Object  string
	Version int64
	Gone    bool
	Call    string
}
