package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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
// when the question is larger than the server takes; any other leaves open whether it was done. The node is told when ctx ends, and
// begins nothing later. What changes nothing is asked again while no node answers.
func Request(ctx context.Context, nc *nats.Conn, fleet, what string, body []byte, header nats.Header, answer any) error {
	msg := &nats.Msg{Subject: AnySubject(fleet, what), Data: body}
	times := 1
	if !Changes(what, header) {
		times = maxAsked
	}
	reply, err := firstOf(ctx, times, func(ctx context.Context) (*nats.Msg, error) {
		m := &nats.Msg{Subject: msg.Subject, Data: body, Header: nats.Header{}}
		maps.Copy(m.Header, header)
		if end, ok := ctx.Deadline(); ok {
			m.Header.Set(TimeoutHeader, max(time.Until(end), time.Millisecond).Round(time.Millisecond).String())
		}
		return nc.RequestMsgWithContext(ctx, m)
	})
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

// maxAsked is how often a question that changes nothing is asked, at most. One of the nodes may take it and stand still: another
// one takes it most likely the next time.
const maxAsked = 5

// Changes says whether a question may change something.
func Changes(what string, header nats.Header) bool {
	verb, _, _ := strings.Cut(what, ".")
	if dry, err := strconv.ParseBool(header.Get(DryRunHeader)); err == nil && dry && verb == Apply {
		return false
	}
	return slices.Contains([]string{Apply, Delete, SetStatus, Invalidate}, verb)
}

// firstOf is the first answer to a question that is asked so many times at most, in equal parts of the time until ctx ends. The earlier
// ones are still waited for.
func firstOf(ctx context.Context, times int, ask func(context.Context) (*nats.Msg, error)) (*nats.Msg, error) {
	end, bounded := ctx.Deadline()
	if times == 1 || !bounded {
		return ask(ctx)
	}
	part := max(time.Until(end)/time.Duration(times+1), time.Millisecond)
	ctx, cancel := context.WithCancel(ctx)
	type said struct {
		msg *nats.Msg
		err error
	}
	answers := make(chan said, times)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	again := time.NewTicker(part)
	defer again.Stop()
	for asked := 0; ; {
		if asked < times {
			asked++
			asking.Go(func() {
				msg, err := ask(ctx)
				answers <- said{msg, err}
			})
		}
		select {
		case a := <-answers:
			return a.msg, a.err
		case <-again.C:
		}
	}
}
