package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// Answer is what one node said: its JSON, or why it could not.
type Answer struct {
	Data json.RawMessage
	Err  error
}

// Ask sends a request and gathers answers until none came for a while, ctx ends, or, with one node named, that one
// has answered. No answer at all is ErrNoNode.
func Ask(ctx context.Context, nc *nats.Conn, fleet, what, node string, body []byte) ([]Answer, error) {
	inbox := nc.NewRespInbox()
	replies := make(chan *nats.Msg, maxAnswers)
	sub, err := nc.ChanSubscribe(inbox, replies)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(Subject(fleet, what, node), inbox, body); err != nil {
		return nil, err
	}
	var answers []Answer
	var enough <-chan time.Time
	for len(answers) < maxAnswers {
		select {
		case msg := <-replies:
			if msg.Header.Get("Status") == "503" {
				return nil, fmt.Errorf("%w: nothing listens on %s", ErrNoNode, Subject(fleet, what, node))
			}
			answers = append(answers, read(msg))
			if node != "" {
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

func read(msg *nats.Msg) Answer {
	if text := msg.Header.Get(micro.ErrorHeader); text != "" {
		return Answer{Err: errors.New(text)}
	}
	if !json.Valid(msg.Data) {
		return Answer{Err: errors.New("the answer is not JSON")}
	}
	return Answer{Data: msg.Data}
}
