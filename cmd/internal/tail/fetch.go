package tail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Message is one message of the stream.
type Message struct {
	event.Received
	Sequence uint64    // 0 = the server gave none
	Stored   time.Time // by the server's clock
}

// Start is where to begin: at a sequence, or at the first message stored at a time or later.
type Start struct {
	Sequence uint64
	Time     time.Time
}

// batch is how many messages one request asks for.
const batch = 256

// idle is how long a batch may stand still before it counts as lost.
const idle = 2 * time.Second

// errStalled says that a batch stopped in the middle.
var errStalled = errors.New("the server stopped sending")

type request struct {
	Sequence uint64     `json:"seq,omitempty"`
	Time     *time.Time `json:"start_time,omitempty"`
	Batch    int        `json:"batch"`
	Subject  string     `json:"next_by_subj"`
}

// fetch asks for one batch and calls yield for each message of it. more says that the replica that answered has further
// ones; one that lags has not, so the caller compares with the leader's last sequence.
func fetch(ctx context.Context, nc *nats.Conn, s Stream, from Start, yield func(Message) error) (more bool, err error) {
	ask := request{Sequence: from.Sequence, Batch: batch, Subject: event.LogSubject(s.Fleet, ">")}
	if !from.Time.IsZero() {
		ask.Sequence, ask.Time = 0, &from.Time
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return false, err
	}
	inbox := nc.NewRespInbox()
	replies := make(chan *nats.Msg, batch+1)
	sub, err := nc.ChanSubscribe(inbox, replies)
	if err != nil {
		return false, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	subject := "$JS.API.DIRECT.GET." + event.StreamName(s.Fleet)
	if err := nc.PublishRequest(subject, inbox, body); err != nil {
		return false, err
	}
	for {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(idle):
			return false, fmt.Errorf("%s: %w: %w", subject, errStalled, nats.ErrTimeout)
		case msg := <-replies:
			switch status := msg.Header.Get("Status"); status {
			case "":
				m := decode(s, msg)
				if err := yield(m); err != nil {
					return false, err
				}
			case "204":
				return msg.Header.Get("Nats-Num-Pending") != "0", nil
			case "404":
				return false, nil
			default:
				return false, fmt.Errorf("%s: %s %s", subject, status, msg.Header.Get("Description"))
			}
		}
	}
}

// decode reads a stored or republished message. What publishers say in the server's place is not believed.
func decode(s Stream, msg *nats.Msg) Message {
	stamp := bus.ReadStamp(msg.Header)
	subject := stamp.Subject
	if subject == "" {
		subject = msg.Subject
	}
	m := Message{Received: event.Decode(s.Fleet, subject, msg.Header, msg.Data)}
	if stamp.Sequence == 0 || stamp.Stream != event.StreamName(s.Fleet) {
		return m
	}
	m.Sequence, m.Stored = stamp.Sequence, stamp.Time
	m.Token = event.NewToken(s.Fleet, s.Epoch, m.Sequence)
	return m
}
