package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
)

// write stores the dead letter of a message: as it was, without what it told the server, and with what became of it.
func (d *Durable) write(ctx context.Context, h *Handed, why error) error {
	header := letterHeader(h.msg.Header, h.Ordered)
	header[HeaderReceiver] = []string{d.cfg.Receiver}
	header[HeaderError] = []string{errorText(why)}
	header[HeaderTries] = []string{strconv.FormatUint(h.Tries, 10)}
	header[HeaderFailedAt] = []string{time.Now().UTC().Format(time.RFC3339Nano)}
	if !h.Ordered {
		header[HeaderSequence] = []string{strconv.FormatUint(h.sequence, 10)}
		header[HeaderSubject] = []string{h.msg.Subject}
		header[HeaderToken] = []string{h.Token.String()}
	}
	id := fmt.Sprintf("letter-%s-%s-%d", d.name, h.Token.Epoch(), h.sequence)
	if h.Ordered {
		id = "letter-order-" + d.name + "-" + h.ID
	}
	return d.store(ctx, DeadSubject(d.b.cfg.Fleet, ReceiverToken(d.cfg.Receiver)), id, header, h.msg.Data)
}

// orderReset orders that the receiver is told that it lost events, on a node that has applied t.
func (d *Durable) orderReset(ctx context.Context, id, cause string, t event.Token) error {
	header := nats.Header{
		HeaderReceiver: {d.cfg.Receiver}, HeaderReset: {cause}, HeaderEvent: {event.NewID()}, HeaderToken: {t.String()},
	}
	return d.store(ctx, AgainSubject(d.b.cfg.Fleet, ReceiverToken(d.cfg.Receiver)), id, header, []byte("{}"))
}

// errNotStored says that another stream than that of dead letters took a message.
var errNotStored = errors.New("the stream of dead letters did not store it")

// store publishes to the stream of dead letters, and returns nil only when it is there.
func (d *Durable) store(ctx context.Context, subject, id string, header nats.Header, data []byte) error {
	header["Nats-Msg-Id"] = []string{id}
	header["Nats-Expected-Stream"] = []string{d.pulls[onDead].stream}
	if len(data) == 0 {
		data = []byte("{}") // a body that is empty is none of an event, and reads as one of the server's own messages
	}
	answer, err := d.b.request(ctx, d.b.nc, &nats.Msg{Subject: subject, Header: header, Data: data})
	if err != nil {
		return err
	}
	var body struct {
		Error *jetstream.APIError `json:"error"`
		ack
	}
	switch err := json.Unmarshal(answer.Data, &body); {
	case err != nil:
		return fmt.Errorf("the server's answer is unreadable: %w", err)
	case body.Error != nil:
		return body.Error
	case body.Stream != d.pulls[onDead].stream || body.Sequence == 0:
		return errNotStored
	}
	return nil
}

// letterHeader is a message's header without what is for the server, which would act on it again, and of an event also without
// what only nodes may say: its publisher must not be able to write a letter.
func letterHeader(h nats.Header, ours bool) nats.Header {
	kept := nats.Header{}
	for key, values := range h {
		begins := func(prefix string) bool {
			return len(key) >= len(prefix) && strings.EqualFold(key[:len(prefix)], prefix)
		}
		if begins("Nats-") || key == HeaderLetter || key == "Status" || key == "Description" || !ours && begins("Lethe-") {
			continue
		}
		kept[key] = values
	}
	return kept
}

// errorMost bounds an error in a letter.
const errorMost = 1 << 10

// errorText is an error as a header has it: one line of UTF-8, at most 1 KiB.
func errorText(err error) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(err.Error(), "?"))
	if len(text) > errorMost {
		text = text[:errorMost]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return strings.TrimSpace(text)
}

// Order is the message that has a receiver called again with a letter, as it is stored under its sequence.
func Order(fleet string, letter *nats.Msg, sequence uint64) *nats.Msg {
	header := letterHeader(letter.Header, true)
	header[HeaderLetter] = []string{strconv.FormatUint(sequence, 10)}
	header["Nats-Expected-Stream"] = []string{DeadStream(fleet)}
	return &nats.Msg{
		Subject: AgainSubject(fleet, ReceiverToken(last(letter.Header, HeaderReceiver))), Header: header, Data: letter.Data,
	}
}

// Error codes of the server, which the client does not name, for a message that is not there, and for whatever its store says.
const (
	errNoMessage    jetstream.ErrorCode = 10037
	errNoSequence   jetstream.ErrorCode = 10043
	errDeleteFailed jetstream.ErrorCode = 10057
)

func isNoMessage(err error) bool {
	var no *jetstream.APIError
	if !errors.As(err, &no) {
		return false
	}
	gone := no.ErrorCode == errNoMessage || no.ErrorCode == errNoSequence
	if no.ErrorCode == errDeleteFailed {
		gone = no.Description == "no message found" || no.Description == "stream store EOF" || no.Description == "deleted message"
	}
	return gone
}
