package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// quiet is how long after an answer further ones are waited for: nobody knows how many nodes there are.
const quiet = 300 * time.Millisecond

// maxAnswers is how many are taken at most.
const maxAnswers = 4096

// ErrNoNode says that nobody answered in time.
var ErrNoNode = errors.New("no node answered")

// nodeHeader names the node that an answer is of.
const nodeHeader = "Lethe-Node"

// Answer is what one node said: its JSON, or why it could not.
type Answer struct {
	Node string
	Data json.RawMessage
	Err  error
}

// Ask sends a request and gathers answers until none came for a while, ctx ends, or, with one node named, that one
// has answered. With names of nodes that are known it ends as soon as all of those have; a name may be there twice. No answer
// at all is ErrNoNode.
func Ask(ctx context.Context, nc *nats.Conn, fleet, what, node string, body []byte, known ...string) ([]Answer, error) {
	return gather(ctx, nc, Subject(fleet, what, node), body, func(answers []Answer) bool {
		return node != "" || len(known) > 0 && len(Missing(answers, known)) == 0
	})
}

// gather is Ask on any subject; all says whether no further answer is wanted.
func gather(ctx context.Context, nc *nats.Conn, subject string, body []byte, all func([]Answer) bool) ([]Answer, error) {
	inbox := nc.NewRespInbox()
	replies := make(chan *nats.Msg, maxAnswers)
	sub, err := nc.ChanSubscribe(inbox, replies)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(subject, inbox, body); err != nil {
		return nil, err
	}
	var answers []Answer
	var enough <-chan time.Time
	for len(answers) < maxAnswers {
		select {
		case msg := <-replies:
			if msg.Header.Get("Status") == "503" {
				return nil, fmt.Errorf("%w: nothing listens on %s", ErrNoNode, subject)
			}
			answers = append(answers, read(msg))
			if all(answers) {
				return answers, nil
			}
			enough = time.After(quiet)
			continue
		case <-enough:
		case <-ctx.Done():
		}
		break
	}
	if len(answers) == 0 {
		return nil, fmt.Errorf("%w in time: %w", ErrNoNode, context.Cause(ctx))
	}
	return answers, nil
}

// Missing is which of the known nodes have not answered.
func Missing(answers []Answer, known []string) []string {
	left := slices.Clone(known)
	for _, a := range answers {
		if i := slices.Index(left, a.Node); i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	return left
}

func read(msg *nats.Msg) Answer {
	a := Answer{Node: msg.Header.Get(nodeHeader)}
	switch text := msg.Header.Get(micro.ErrorHeader); {
	case text != "":
		a.Err = errors.New(text)
	case !json.Valid(msg.Data):
		a.Err = errors.New("the answer is not JSON")
	default:
		a.Data = msg.Data
	}
	return a
}
