package ctl

import (
	"encoding/json"
	"time"
)

// LogQuery asks what became of an object, and with Continue for the lines before those of a page.
type LogQuery struct {
	Name
	Since    time.Time `json:"since,omitzero"` // zero: all that are kept
	Limit    int       `json:"limit,omitempty"`
	Continue string    `json:"continue,omitempty"`
}

// LogPage is some of the lines, the latest first. There are older ones when Continue is not empty.
type LogPage struct {
	Lines    []LogLine `json:"lines"`
	Continue string    `json:"continue,omitempty"`
}

// LogLine is what became of an object in one change; see manifest.JournalEntry.
type LogLine struct {
	Time            time.Time    `json:"time"`
	Verb            string       `json:"verb"`
	Action          string       `json:"action"`
	Kind            string       `json:"kind"`
	Namespace       string       `json:"namespace,omitempty"` // empty with the name: all of the kind
	Name            string       `json:"name,omitempty"`      // empty: all of the namespace
	ResourceVersion string       `json:"resourceVersion,omitempty"`
	Generation      int64        `json:"generation,omitempty"`
	Who             string       `json:"who,omitempty"` // the actor in words: "ci (authenticated)", "ada@host (claimed)"
	Claimed         bool         `json:"claimed"`       // nobody vouches for the actor
	Actor           LogActor     `json:"actor,omitzero"`
	Reason          string       `json:"reason,omitempty"`
	Ticket          string       `json:"ticket,omitempty"`
	Fields          []LogField   `json:"fields,omitempty"`
	More            bool         `json:"more,omitempty"` // there are other fields
	Problems        []LogProblem `json:"problems,omitempty"`
	Left            int          `json:"left,omitempty"` // refusals before it that were not written down
}

// LogActor is who did it, as events have it.
type LogActor struct {
	Type  string `json:"type,omitempty"`
	ID    string `json:"id,omitempty"`
	Claim string `json:"claim,omitempty"`
}

// LogField is a field that has changed. A secret one has no values.
type LogField struct {
	Path   string          `json:"path"`
	Old    json.RawMessage `json:"old,omitempty"`
	New    json.RawMessage `json:"new,omitempty"`
	Cut    bool            `json:"cut,omitempty"`
	Secret bool            `json:"secret,omitempty"`
}

// LogProblem is why something was refused.
type LogProblem struct {
	Field string `json:"field,omitempty"`
	Text  string `json:"error"`
}
