package lethe

import "time"

// Policy is what a function does while its node has no lease, that is, can't prove that what it has is current.
type Policy struct{ limit time.Duration }

// Bypass calls the loader, still one at a time for each key, and stores nothing. It is the default.
func Bypass() Policy { return Policy{} }

// ServeStale serves what is cached for at most limit after the lease ended, then bypasses; a miss bypasses at once. Lookup says
// Stale. What was invalidated as far as this node knows is never served. The fleet has to know how long a node may serve, so that
// Barrier waits for it: the limit is written to the stream's metadata first, and Memoize waits up to a second for that where the
// node is ready already. Where the stream is provisioned elsewhere (ExternalStream) its metadata lethe-horizon has to allow for
// MaxStaleness and the limit, else the limit is cut short.
func ServeStale(limit time.Duration) Policy { return Policy{limit} }

// Result is a value and how it was come by.
type Result[V any] struct {
	Value V
	Cache Outcome
	Tier  Tier          // of a hit or stale value, else empty
	Age   time.Duration // since the load began
}

// Outcome is how a read was answered.
type Outcome string

// Outcomes.
const (
	Hit      Outcome = "hit"      // from the cache
	Miss     Outcome = "miss"     // loaded, by this read or one it waited for
	Stale    Outcome = "stale"    // from the cache, expired or without a lease, as the function's options allow
	Negative Outcome = "negative" // a remembered error
	Bypassed Outcome = "bypass"   // loaded, and not stored: no lease, a token not reached, or WithBypass
)

// Tier is where a value was found.
type Tier string

// Tiers.
const (
	Hot  Tier = "hot"  // decoded values
	Bulk Tier = "bulk" // encoded
)
