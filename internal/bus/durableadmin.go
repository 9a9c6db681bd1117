package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Receiver is a once-per-fleet receiver, as its consumer says.
type Receiver struct {
	Name, Consumer    string
	Filters, Version  string    // of who registered it last
	Nodes             int       // that wait for its next event
	Pending, InHand   uint64    // events that wait, and that a node works on or that are to be tried again
	Redelivered       uint64    // events in hand that were handed out more than once
	Letters           uint64    // dead letters
	LastActive, Since time.Time // when it was given an event or acknowledged one last, zero = never; when its consumer was made
}

// Receivers lists the once-per-fleet receivers of a fleet, by name.
func Receivers(ctx context.Context, nc *nats.Conn, fleet string) ([]Receiver, error) {
	var all []Receiver
	for offset := 0; ; {
		var page struct {
			Total     int                      `json:"total"`
			Consumers []jetstream.ConsumerInfo `json:"consumers"`
		}
		err := callBy(ctx, nc, request, "CONSUMER.LIST."+event.StreamName(fleet), map[string]int{"offset": offset}, &page)
		if err != nil {
			return nil, err
		}
		for i := range page.Consumers {
			if ci := &page.Consumers[i]; strings.HasPrefix(ci.Name, consumerPrefix) {
				all = append(all, describe(ci))
			}
		}
		if offset += len(page.Consumers); len(page.Consumers) == 0 || offset >= page.Total {
			break
		}
	}
	slices.SortFunc(all, func(a, b Receiver) int { return strings.Compare(a.Name, b.Name) })
	return all, countLetters(ctx, nc, fleet, all)
}

func describe(ci *jetstream.ConsumerInfo) Receiver {
	meta := ci.Config.Metadata
	r := Receiver{
		Name: meta[metaReceiver], Consumer: ci.Name, Filters: meta[metaFilters], Version: meta[metaVersion], Nodes: ci.NumWaiting,
		Pending: ci.NumPending, InHand: uint64(max(ci.NumAckPending, 0)), Redelivered: uint64(max(ci.NumRedelivered, 0)), Since: ci.Created,
	}
	for _, at := range []*time.Time{ci.Delivered.Last, ci.AckFloor.Last} {
		if at != nil && at.After(r.LastActive) {
			r.LastActive = *at
		}
	}
	return r
}

// countLetters asks how many letters there are of each.
func countLetters(ctx context.Context, nc *nats.Conn, fleet string, all []Receiver) error {
	if len(all) == 0 {
		return nil
	}
	var info jetstream.StreamInfo
	err := callBy(ctx, nc, request, "STREAM.INFO."+DeadStream(fleet), map[string]string{"subjects_filter": DeadSubject(fleet, "*")}, &info)
	if errors.Is(err, ErrNoStream) {
		return nil
	}
	for i := range all {
		all[i].Letters = info.State.Subjects[DeadSubject(fleet, ReceiverToken(all[i].Name))]
	}
	return err
}

// ErrNoReceiver says that the fleet has no once-per-fleet receiver of that name.
var ErrNoReceiver = errors.New("the fleet has no once-per-fleet receiver of that name")

// RemoveReceiver removes a receiver's consumers, and with them what waits for it. Its letters stay.
func RemoveReceiver(ctx context.Context, nc *nats.Conn, fleet, receiver string) error {
	name := ConsumerName(receiver)
	err := callBy(ctx, nc, request, "CONSUMER.DELETE."+event.StreamName(fleet)+"."+name, nil, nil)
	if errors.Is(err, errNoConsumer) {
		return fmt.Errorf("%q: %w", receiver, ErrNoReceiver)
	}
	if err != nil {
		return err
	}
	err = callBy(ctx, nc, request, "CONSUMER.DELETE."+DeadStream(fleet)+"."+name, nil, nil)
	if errors.Is(err, errNoConsumer) || errors.Is(err, ErrNoStream) {
		return nil
	}
	return err
}

// Letter is a dead letter: an event that a receiver could not handle, or the word that it lost events.
type Letter struct {
	event.Received        // the event; of the word that events were lost only Type, Reason, ID and Targets
	Sequence       uint64 // of the letter
	Receiver       string
	Error          string
	Tries          uint64
	FailedAt       time.Time
	LogSequence    uint64 // of the event in the log, Subject its subject there
	LogSubject     string
	Body           []byte // of the event, as it was

	msg *nats.Msg
}

func readLetter(fleet string, m *nats.Msg) Letter {
	number := func(key string) uint64 {
		n, err := strconv.ParseUint(last(m.Header, key), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	l := Letter{
		Sequence: number(headerSequence), Receiver: last(m.Header, HeaderReceiver), Error: last(m.Header, HeaderError), Tries: number(HeaderTries),
		LogSequence: number(HeaderSequence), LogSubject: last(m.Header, HeaderSubject), Body: m.Data, msg: m,
	}
	if at, err := time.Parse(time.RFC3339Nano, last(m.Header, HeaderFailedAt)); err == nil {
		l.FailedAt = at
	}
	if cause := last(m.Header, HeaderReset); cause != "" {
		l.Event = event.Event{ID: last(m.Header, HeaderEvent), Type: event.TypeReset, Targets: []event.Target{event.All()}, Reason: cause, Time: l.FailedAt}
	} else {
		l.Received = event.Decode(fleet, l.LogSubject, m.Header, m.Data)
	}
	if t, err := event.ParseToken(last(m.Header, HeaderToken)); err == nil {
		l.Token = t
	}
	return l
}

// lettersMost is how many letters one request asks for.
const lettersMost = 256

// Letters calls yield for the letters of a receiver, or of all where it is "", from a sequence on, in order, until it says false.
func Letters(ctx context.Context, nc *nats.Conn, fleet, receiver string, from uint64, yield func(Letter) bool) error {
	token := "*"
	if receiver != "" {
		token = ReceiverToken(receiver)
	}
	return deadMessages(ctx, nc, fleet, DeadSubject(fleet, token), from, func(m *nats.Msg, _ uint64) bool { return yield(readLetter(fleet, m)) })
}

// deadMessages calls yield for the messages on a subject of the stream of dead letters, from a sequence on, in order, until it says
// false.
func deadMessages(ctx context.Context, nc *nats.Conn, fleet, of string, from uint64, yield func(m *nats.Msg, sequence uint64) bool) error {
	inbox := nc.NewRespInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		return fmt.Errorf("dead letters: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	subject := "$JS.API.DIRECT.GET." + DeadStream(fleet)
	for next := max(from, 1); ; {
		body, err := json.Marshal(map[string]any{"seq": next, "batch": lettersMost, "next_by_subj": of})
		if err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		if err = nc.PublishRequest(subject, inbox, body); err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		for more := true; more; {
			m, err := sub.NextMsgWithContext(ctx)
			if err != nil {
				if cause := context.Cause(ctx); cause != nil {
					err = cause
				}
				return fmt.Errorf("%s: %w", subject, err)
			}
			switch status := m.Header.Get("Status"); {
			case len(m.Data) > 0 || last(m.Header, headerSequence) != "":
				sequence, err := strconv.ParseUint(last(m.Header, headerSequence), 10, 64)
				if err != nil {
					return fmt.Errorf("%s: a message without its sequence", subject)
				}
				next = sequence + 1
				if !yield(m, sequence) {
					return nil
				}
			case status == "204" && m.Header.Get("Nats-Num-Pending") != "0":
				more = false
			case status == "204" || status == "404":
				return nil
			case status == "503":
				return ErrNoDead
			default:
				return fmt.Errorf("%s: the server says %s %s", subject, status, m.Header.Get("Description"))
			}
		}
	}
}

// DropLetter removes a letter for good; false: there is none of that sequence.
func DropLetter(ctx context.Context, nc *nats.Conn, fleet string, sequence uint64) (bool, error) {
	err := callBy(ctx, nc, request, "STREAM.MSG.DELETE."+DeadStream(fleet), map[string]any{"seq": sequence}, nil)
	if isNoMessage(err) {
		return false, nil
	}
	return err == nil, err
}
