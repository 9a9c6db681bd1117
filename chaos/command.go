package main

import (
	"encoding/json"

	"github.com/lethe-cache/lethe/chaos/judge"
)

// command is what the driver asks of a node, a line of JSON on its standard input.
type command struct {
	ID     int64         `json:"id"`
	Do     string        `json:"do"` // one of the commands below
	Token  string        `json:"token,omitempty"`
	Ticket string        `json:"ticket,omitempty"`
	Kind   string        `json:"kind,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Covers []judge.Cover `json:"covers,omitempty"`
	For    int64         `json:"for,omitempty"` // nanoseconds
	Body   string        `json:"body,omitempty"`
}

// Commands.
const (
	doWait       = "wait"
	doInvalidate = "invalidate"
	doFinal      = "final"
	doApply      = "apply"
	doTicket     = "ticket"
	doDelete     = "delete"
	doList       = "list"
	doSee        = "see"
	doRound      = "round"
	doIdle       = "idle"
)

// answer is what came of a command, or a node's own report: a line of JSON behind "D " or "S " on its standard output.
type answer struct {
	ID      int64  `json:"id"`
	Token   string `json:"token,omitempty"`
	Ticket  string `json:"ticket,omitempty"`
	Error   string `json:"error,omitempty"`
	Refused bool   `json:"refused,omitempty"` // event.ErrInvalid; of a world: nothing of it is done
	Body    string `json:"body,omitempty"`
}

// stats are a node's counts of one life.
type stats struct {
	Resets map[string]uint64 `json:"resets,omitempty"`
	Healed uint64            `json:"gaps_healed"`
	Fenced uint64            `json:"loads_fenced"`
	Shared uint64            `json:"loads_shared"`
	Errors map[string]int64  `json:"errors,omitempty"`
	State  string            `json:"state"`
	Cursor uint64            `json:"cursor"`
}

func (c command) line() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // it has nothing that JSON can't say
	}
	return append(b, '\n')
}

func keysOf(covers []judge.Cover) []int {
	keys := make([]int, len(covers))
	for i, c := range covers {
		keys[i] = c.Key
	}
	return keys
}
