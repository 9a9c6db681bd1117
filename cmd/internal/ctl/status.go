package ctl

import (
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// Status is a node's state in JSON, over NATS and HTTP alike.
type Status struct {
	Node       string      `json:"node"`
	Fleet      string      `json:"fleet"`
	State      string      `json:"state"`         // starting, current, expired or closed
	Why        string      `json:"why,omitempty"` // why it is not current, and what its reads get meanwhile; MaxWhy bytes at most
	SinceMs    int64       `json:"sinceMs"`       // how long it has been current, or has not
	Epoch      string      `json:"epoch,omitempty"`
	Cursor     uint64      `json:"cursor"`
	Last       uint64      `json:"last"`
	Position   event.Token `json:"position,omitzero"`
	LeaseAgeMs int64       `json:"leaseAgeMs"`
	Entries    int64       `json:"entries"`
	Bytes      int64       `json:"bytes"`
	Resets     uint64      `json:"resets"`
	GapsHealed uint64      `json:"gapsHealed"`
	Duplicates int         `json:"duplicates,omitempty"` // other living nodes of the same name
	Version    string      `json:"version"`
	Outbox     *Outbox     `json:"outbox,omitempty"` // nil: the node has no database, or has not told
}

// MaxWhy bounds the reason why a node is not current, in bytes.
const MaxWhy = 512

// Why is the text of err, "" of nil.
func Why(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), MaxWhy)], "")
}

// StatusOf is the state of n now.
func StatusOf(n *lethe.Node) Status {
	return statusOf(n.Status(), n.Position(), cli.Version())
}

func statusOf(s lethe.Status, position event.Token, version string) Status {
	return Status{
		Why: Why(s.Err), SinceMs: s.Since.Milliseconds(),
		Node: s.Name, Fleet: s.Fleet, State: s.State.String(), Epoch: s.Epoch, Cursor: s.Cursor, Last: s.Last,
		Position: position, LeaseAgeMs: s.LeaseAge.Milliseconds(), Entries: s.Entries, Bytes: s.Bytes,
		Resets: s.Resets, GapsHealed: s.GapsHealed, Duplicates: s.Duplicates, Version: version,
	}
}
