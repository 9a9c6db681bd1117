package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// Headers of questions about manifests.
const (
	TokenHeader  = "Lethe-Token"   // what is read is at least as new; at most a second is waited for it
	ReasonHeader = "Lethe-Reason"  // why, for those who watch
	ActorHeader  = "Lethe-Actor"   // who the caller says it is
	DryRunHeader = "Lethe-Dry-Run" // true: apply says what it would do, and does nothing
)

// Request asks one of the fleet's nodes, whichever takes it, and decodes what it says into answer. The error is a *Refusal
// when the node said no; it wraps ErrNoNode when no node with a database is there, so that nothing was done; nats.ErrMaxPayload
// when the question is larger than the server takes; any other leaves open whether it was done.
func Request(ctx context.Context, nc *nats.Conn, fleet, what string, body []byte, header nats.Header, answer any) error {
	msg := &nats.Msg{Subject: AnySubject(fleet, what), Data: body, Header: header}
	reply, err := nc.RequestMsgWithContext(ctx, msg)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: nothing listens on %s", ErrNoNode, msg.Subject)
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	if r := refusalIn(reply); r != nil {
		return r
	}
	if err := json.Unmarshal(reply.Data, answer); err != nil {
		return fmt.Errorf("the answer of node %s can't be read: %w", reply.Header.Get(nodeHeader), err)
	}
	return nil
}
