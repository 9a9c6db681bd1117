package event

import "time"

// MaxSize bounds an event on the wire: the bytes of its data and its headers together.
const MaxSize = 64 << 10

// Types of events that travel.
const (
	TypeInvalidated         = "dev.lethe.invalidated.v1"
	TypeManifestApplied     = "dev.lethe.manifest.applied.v1"
	TypeManifestDeleted     = "dev.lethe.manifest.deleted.v1"
	TypeManifestInvalidated = "dev.lethe.manifest.invalidated.v1"
	TypeTick                = "dev.lethe.tick.v1" // of nodes, under _sys; receivers never see it
)

// Types that never travel: a node makes them for its own receivers.
const (
	TypeReset  = "dev.lethe.local.reset.v1"  // continuity was lost; Targets is All()
	TypeLagged = "dev.lethe.local.lagged.v1" // this receiver missed events; Targets is All()
)

// Event is what was said, decoded once and shared: treat it as read-only.
type Event struct {
	// ID is a UUIDv7 (another maker's: anything), Source the node or program, Type one of the constants, Subject the
	// function, tag or Kind/namespace/name it is about when there is exactly one.
	ID, Source, Type, Subject string
	// Time is when the change was committed or the call was made.
	Time time.Time
	// Targets is what to forget.
	Targets []Target
	// Reason is why, for people; at most 1 KiB.
	Reason string
	// Manifest is the changed object of dev.lethe.manifest.* events, else nil.
	Manifest *Manifest
	// ActorType and ActorID are who made the change (WithActor, WithClaim); Actor is both with what else is known.
	ActorType, ActorID string
	// Extensions are the other attributes: traceparent, tracestate, correlationid, causationid, lethereceivers,
	// letheclaim and other makers' own.
	// Names are lower-case letters and digits, at most 20.
	Extensions map[string]string
	// Token is its position in the stream.
	Token Token
}

// Manifest says which object changed. No event carries a spec. It has a namespace and a name, but for one of all objects of a kind
// (TypeManifestInvalidated), beside which an event without a Manifest says the same for relays that know no such one.
type Manifest struct {
	APIVersion      string            `json:"apiVersion,omitempty"`
	Kind            string            `json:"kind"`
	Namespace       string            `json:"namespace,omitempty"`
	Name            string            `json:"name"` // of an invalidated one, empty: all objects of the kind, or of the namespace if there is one
	UID             string            `json:"uid,omitempty"`
	Generation      int64             `json:"generation,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Action          string            `json:"action,omitempty"` // created, configured, deleted or invalidated
	Labels          map[string]string `json:"labels,omitempty"`
}
