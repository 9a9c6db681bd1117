package manifest

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// Sentinels.
var (
	ErrNotFound = errors.New("manifest: not found")
	ErrConflict = errors.New("manifest: resourceVersion is stale")
	ErrInvalid  = errors.New("manifest: invalid")
)

// Metadata of an object.
type Metadata struct {
	Namespace       string            `json:"namespace,omitempty"`
	Name            string            `json:"name"`
	UID             string            `json:"uid,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Generation      int64             `json:"generation,omitempty"`
	Created         time.Time         `json:"creationTimestamp,omitzero"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
}

// Manifest is an object: desired state under a name.
type Manifest[S any] struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   Metadata        `json:"metadata"`
	Spec       S               `json:"spec"`
	Status     json.RawMessage `json:"status,omitempty"`
}

// Object is a manifest of any kind, its spec as JSON.
type Object = Manifest[json.RawMessage]

// Reference is an object that another one names.
type Reference struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"` // empty: that of the object that refers
	Name      string `json:"name"`
}

// Kind describes the manifests of a kind whose spec is the Go type S.
type Kind[S any] struct {
	APIVersion, Name, Plural string
	ShortNames               []string
	Schema                   json.RawMessage                  // of spec; nil = reflected from S
	Default                  func(*S)                         // fills what a manifest left out
	Validate                 func(Manifest[S]) error          // beyond the schema
	Stale                    func(Manifest[S]) []event.Target // asked of the stored and of the new object; the union is announced
	References               func(Manifest[S]) []Reference    // what it names; a change of one of them makes this object stale
	Example                  Manifest[S]
}

// KindInfo is a kind as users see it.
type KindInfo struct {
	APIVersion   string          `json:"apiVersion"`
	Kind         string          `json:"kind"`
	Plural       string          `json:"plural"`
	ShortNames   []string        `json:"shortNames,omitempty"`
	Stored       bool            `json:"stored"` // a manifest of kind Kind; false: typed, of a program
	Schema       json.RawMessage `json:"schema,omitempty"`
	StatusSchema json.RawMessage `json:"statusSchema,omitempty"` // of a stored kind that gives one
	Example      json.RawMessage `json:"example,omitempty"`      // a whole manifest
}

// Action is what a write did.
type Action string

// Actions.
const (
	Created     Action = "created"
	Configured  Action = "configured"
	Unchanged   Action = "unchanged"
	Deleted     Action = "deleted"
	Invalidated Action = "invalidated"
)

// Result of a write. Token is zero when the relay had not published within a second: the change is
// committed and will be announced; Ticket can be waited for.
type Result[S any] struct {
	Action   Action
	Manifest Manifest[S]
	Ticket   outbox.Ticket
	Token    event.Token
}

// ListOptions of a list.
type ListOptions struct {
	Namespace, Selector, Continue string
	Limit                         int
}
