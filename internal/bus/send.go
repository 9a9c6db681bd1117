package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
)

// ack is the server's word that a message is stored.
type ack struct {
	Stream    string `json:"stream"`
	Sequence  uint64 `json:"seq"`
	Duplicate bool   `json:"duplicate"`
}

// errUnknown says that a publish may or may not have been stored.
var errUnknown error = &uncertain{errors.New("no answer in time, it may be stored or not")}

// send is one attempt of a publish, of at most d. After an error that is
// ErrUnknown it may be stored, after any other it is not.
func (b *Bus) send(ctx context.Context, m event.Message, msgID string, d time.Duration) (ack, error) {
	header := nats.Header(m.Header)
	header["Nats-Expected-Stream"] = []string{b.stream}
	if msgID != "" {
		header["Nats-Msg-Id"] = []string{msgID}
	}
	msg := &nats.Msg{Subject: m.Subject, Header: header, Data: m.Data}
	if err := b.fits(msg); err != nil {
		return ack{}, err
	}
	q, err := b.answers.ask(msg)
	if errors.Is(err, nats.ErrMaxPayload) { // another server has taken the connection over
		err = cmp.Or(b.fits(msg), err)
	}
	if err != nil {
		return ack{}, err
	}
	answer, err := b.answers.within(ctx, q, d)
	var denied *Refusal
	switch {
	case errors.As(err, &denied):
		return ack{}, err
	case errors.Is(err, nats.ErrNoResponders):
		return ack{}, b.absent()
	case errors.Is(err, context.DeadlineExceeded):
		return ack{}, errUnknown
	case err != nil:
		return ack{}, &uncertain{err}
	}
	var body struct {
		Error *jetstream.APIError `json:"error"`
		ack
	}
	if err := json.Unmarshal(answer.Data, &body); err != nil {
		return ack{}, &uncertain{fmt.Errorf("the server's answer is unreadable: %w", err)}
	}
	if no := body.Error; no != nil {
		busy := no.ErrorCode == errDuplicateUnderway || no.ErrorCode == errTooManyRequests
		if no.Code >= 400 && no.Code < 500 && !busy {
			return ack{}, &Refusal{Code: int(no.ErrorCode), Description: no.Description}
		}
		return ack{}, &uncertain{fmt.Errorf("the server can't store it now: %s", no.Description)}
	}
	if body.Stream != b.stream || body.Sequence == 0 {
		return ack{}, &uncertain{fmt.Errorf("stored by the stream %q, not by %s", body.Stream, b.stream)}
	}
	return body.ack, nil
}

// absent is why a publish found no stream.
func (b *Bus) absent() error {
	var no *NoStream
	if why := b.why.get(areaStream); b.cfg.PublishOnly && errors.As(why, &no) {
		return no
	}
	return errors.New("no server has the stream " + b.stream + " at the moment")
}

func tickError(err error) error {
	return fmt.Errorf("can't publish ticks, so nothing proves that the node hears its stream: %w", err)
}
