package ctl

import (
	"encoding/json"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Name names an object, in JSON; the kind by any of its names. An empty namespace is "default".
type Name struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// Query asks for objects of a kind; an empty namespace is all of them.
type Query struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Selector  string `json:"selector,omitempty"`
	Limit     int    `json:"limit,omitempty"`
	Continue  string `json:"continue,omitempty"` // of the page before
}

// Page is some of the objects, by namespace and name. There are more when Continue is not empty.
type Page struct {
	Items    []json.RawMessage `json:"items"`
	Continue string            `json:"continue,omitempty"`
}

// Written is the answer to what changes something. Without a token, while there is a ticket, the change is committed and not
// announced yet; without either nothing has changed.
type Written struct {
	Results []Result    `json:"results"`
	Token   event.Token `json:"token,omitzero"`
	Ticket  string      `json:"ticket,omitempty"`
}

// Pending says whether the change is committed and not announced yet.
func (w Written) Pending() bool { return w.Token.IsZero() && w.Ticket != "" }

// Result is what became of one object.
type Result struct {
	Action          string `json:"action"` // created, configured, unchanged, deleted or invalidated
	Kind            string `json:"kind"`
	Namespace       string `json:"namespace"`
	Name            string `json:"name"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
	Generation      int64  `json:"generation,omitempty"`
	// Exists is false where something was announced of an object that there is none of, else left out.
	Exists *bool `json:"exists,omitempty"`
}

// Difference is a unified diff of YAML, empty when nothing would change.
type Difference struct {
	Diff string `json:"diff"`
}

// Kind is a kind of manifests. Schema and example are there when it was asked for by name.
type Kind struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Plural     string          `json:"plural"`
	ShortNames []string        `json:"shortNames,omitempty"`
	Stored     bool            `json:"stored"`
	Schema     json.RawMessage `json:"schema,omitempty"`       // JSON Schema of spec
	Status     json.RawMessage `json:"statusSchema,omitempty"` // the same of status, where the kind gives one
	Example    json.RawMessage `json:"example,omitempty"`      // a whole manifest
}

// KindList is the answer to what kinds there are.
type KindList struct {
	Kinds []Kind `json:"kinds"`
}

// Announcement asks for a ticket, for so long, and is the answer with its token.
type Announcement struct {
	Ticket    string      `json:"ticket,omitempty"`
	TimeoutMs int64       `json:"timeoutMs,omitempty"`
	Token     event.Token `json:"token,omitzero"`
}
