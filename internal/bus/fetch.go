package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/cursor"
	"github.com/lethe-cache/lethe/pkg/event"
)

// fetch closes a hole: what it finds is applied in the loop, message by message, and then accounted for at once.
func (b *Bus) fetch(ctx context.Context, a cursor.Action) {
	found, err := b.directGet(ctx, a.From, a.Messages, a.Bytes)
	b.why.set(areaFetch, err)
	b.tell(func(now int64) { //nolint:contextcheck // what the loop begins lives as long as the connection, not as this job
		// A mirror of the stream answers for it, under its own name, and where it is nearer always: the server has it so. It
		// has the stream's numbers, times and subjects, which is what tells the cursor whether it is the stream that it knows.
		l, log := &b.loop, event.LogSubject(b.cfg.Fleet, "")
		ms := make([]cursor.Message, 0, len(found))
		for _, m := range found {
			s := ReadStamp(m.Header)
			b.forged(s, m.Header)
			if s.Sequence == 0 || !strings.HasPrefix(s.Subject, log) {
				break // not an answer to what was asked
			}
			at := cursor.Message{Seq: s.Sequence, Time: s.Time.UnixNano()}
			ms = append(ms, at)
			if l.follower.Seen(at) {
				continue
			}
			if lost := b.apply(s, s.Subject, m.Header, m.Data, false); lost != "" {
				b.do(l.follower.Lost(s.Sequence, lost == l.lost, now))
			}
		}
		b.do(l.follower.Fetched(a.ID, ms, err == nil, b.cfg.Now()))
	})
}

// directGet reads stored messages from sequence on: at most so many, and none behind the one that makes it so many bytes. Any
// replica may answer, also one that lags: fewer than there are, or none, is no error.
func (b *Bus) directGet(ctx context.Context, sequence uint64, messages, bytes int) ([]*nats.Msg, error) {
	subject := "$JS.API.DIRECT.GET." + b.stream
	body, err := json.Marshal(map[string]any{
		"seq": sequence, "batch": messages, "max_bytes": bytes, "next_by_subj": event.LogSubject(b.cfg.Fleet, ">"),
	})
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	ctx, done := b.perms.during(ctx, subject)
	defer done()
	inbox := b.nc.NewRespInbox()
	sub, err := b.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := b.nc.PublishMsg(&nats.Msg{Subject: subject, Reply: inbox, Data: body}); err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	var found []*nats.Msg
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return found, fmt.Errorf("fetch from %s: %w", b.stream, err)
		}
		if len(m.Data) > 0 || last(m.Header, headerSequence) != "" {
			found = append(found, m)
			continue
		}
		switch status := m.Header.Get("Status"); status {
		case "204", "404": // the end of the answer; nothing there yet
			return found, nil
		case "503":
			return found, errors.New("fetch: no server answers Direct Get of " + b.stream)
		default:
			return found, fmt.Errorf("fetch from %s: the server says %s %s", b.stream, status, m.Header.Get("Description"))
		}
	}
}
