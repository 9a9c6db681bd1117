package depend

import (
	"math"
	"sync"
	"time"
)

// Never is the expiry of a record that has read nothing which expires.
const Never = int64(math.MaxInt64)

// Record is what one load has read and asked for. It is safe for concurrent use: a loader may read from several goroutines.
// What is recorded after Close is ignored.
type Record struct {
	owner any

	mu       sync.Mutex // guards what follows
	closed   bool
	set      Set
	expires  int64
	noStore  bool
	ttl      time.Duration
	illegal  string // the first illegal tag, which may be ""
	illegals int    // how many there were
}

// NewRecord returns an empty record of a load that owner (a node) runs.
func NewRecord(owner any) *Record { return &Record{owner: owner, expires: Never} }

// Read adds what a read carried: its labels, and when it expires on the owner's clock. A value that must not outlive the
// read has expires 0. What another owner read has an expiry on another clock and labels that lag behind: it counts as expired.
// A nil Record ignores it.
func (r *Record) Read(owner any, labels []Label, expires int64) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if owner != r.owner {
		expires = 0
	}
	r.set.Add(labels...)
	r.expires = min(r.expires, expires)
}

// On adds labels of something that does not expire, like a stored manifest.
func (r *Record) On(labels ...Label) {
	if r != nil {
		r.Read(r.owner, labels, Never)
	}
}

// AddTags adds tags the loader named; they are legal.
func (r *Record) AddTags(tags ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	var ls []Label
	for _, t := range tags {
		ls = AppendTag(ls[:0], t)
		r.set.Add(ls...)
	}
}

// SetTTL sets the time to live of this load's entry; the last call counts.
func (r *Record) SetTTL(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.ttl = d
	}
}

// NoStore keeps this load's result out of the cache.
func (r *Record) NoStore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.noStore = true
	}
}

// Illegal notes a tag that the loader named and nothing could ever invalidate: the result is not stored. The empty tag is one.
func (r *Record) Illegal(tag string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if r.illegals == 0 {
		r.illegal = tag
	}
	r.noStore, r.illegals = true, r.illegals+1
}

// Recorded is what a record held when it was closed.
type Recorded struct {
	Set     Set
	Expires int64         // the earliest expiry of what was read; Never when there was none
	NoStore bool          // the loader asked for it
	TTL     time.Duration // 0 when the loader set none
	Illegal string        // the first illegal tag the loader named, which may be ""

	// Illegals is how many illegal tags the loader named.
	Illegals int
}

// Close ends recording and returns what was recorded.
func (r *Record) Close() Recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return Recorded{Set: r.set, Expires: r.expires, NoStore: r.noStore, TTL: r.ttl, Illegal: r.illegal, Illegals: r.illegals}
}
