package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Outbox is what waits to be announced in a node's database, in JSON. All nodes of one database tell the same rows, and each its
// own error. While the database does not answer, how many rows there are is not known: null. OldestMs then goes on growing if a
// row waited at the last look, and is null otherwise.
type Outbox struct {
	Depth    *int   `json:"depth"`    // rows that wait
	OldestMs *int64 `json:"oldestMs"` // age of the oldest
	Parked   *int   `json:"parked"`   // rows that can never be stored as they are
	Working  bool   `json:"working"`  // this node publishes them
	Worker   string `json:"worker,omitempty"`
	WorkerMs int64  `json:"workerMs,omitempty"` // how long this node has seen it at work
	Error    string `json:"error,omitempty"`    // why they wait, as far as this node knows; MaxOutboxError bytes at most
}

// MaxOutboxError bounds the text of an outbox's error, in bytes.
const MaxOutboxError = 256

// outboxWait is how long other nodes are asked for their outboxes: for longer than they ask their databases, so that one whose database
// does not answer says so.
const outboxWait = 1500 * time.Millisecond

// WithOutboxes asks the members how their outboxes are. One that does not tell, because it has no database, is a library's node or
// may not be asked, is left without.
func WithOutboxes(ctx context.Context, nc *nats.Conn, fleet string, all []Member) {
	ctx, cancel := context.WithTimeout(ctx, outboxWait)
	defer cancel()
	var names []string
	for _, m := range all {
		if m.SeenMs == 0 {
			names = append(names, m.Node)
		}
	}
	if len(names) == 0 {
		return
	}
	answers, err := Ask(ctx, nc, fleet, GetStatus, "", nil, names...)
	if err != nil {
		return
	}
	told := make(map[string]*Outbox, len(answers))
	for _, a := range answers {
		var s struct {
			Outbox *Outbox `json:"outbox"`
		}
		if a.Err != nil || json.Unmarshal(a.Data, &s) != nil || s.Outbox == nil {
			continue
		}
		if len(s.Outbox.Error) > MaxOutboxError {
			s.Outbox.Error = s.Outbox.Error[:MaxOutboxError]
		}
		told[a.Node] = s.Outbox
	}
	for i := range all {
		all[i].Outbox = told[all[i].Node]
	}
}

// Known says whether the node's database has answered it.
func (o *Outbox) Known() bool { return o.Depth != nil }

// String says it in a few words, for a column of a table: "?" where the database does not answer.
func (o *Outbox) String() string {
	switch {
	case o == nil:
		return "-"
	case o.Depth != nil && *o.Depth == 0 && (o.Parked == nil || *o.Parked == 0):
		return "0"
	}
	text := "?"
	if o.Depth != nil {
		text = strconv.Itoa(*o.Depth)
	}
	if o.OldestMs != nil && (o.Depth == nil || *o.Depth > 0) {
		text += fmt.Sprintf(" (%v)", (time.Duration(*o.OldestMs) * time.Millisecond).Round(time.Second))
	}
	if o.Parked != nil && *o.Parked > 0 {
		text += fmt.Sprintf(" +%d parked", *o.Parked)
	}
	return text
}
