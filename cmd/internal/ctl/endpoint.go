package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/lethe-cache/lethe/internal/fleet"
)

// Endpoint answers what one of the nodes is asked, whichever takes it.
type Endpoint struct {
	What string
	// Answer is called from several goroutines, at most maxRunning at a time. Its context ends after requestTime, when the asker no
	// longer waits (TimeoutHeader), and when the node ends. An error that is no *Refusal is said to be the node's own fault.
	Answer func(ctx context.Context, q Question) (any, error)
}

// Question is what was asked.
type Question struct {
	Body []byte
	// Kind is that of the subject, in lower case: the question has to be about manifests of this kind and of no other, since its
	// asker may have the right to that alone. Empty: of any.
	Kind   string
	Header func(name string) string // by the name of a constant like TokenHeader, empty when it is left out
	// MaxAnswer is how many bytes of JSON an answer may have; a larger one is refused.
	MaxAnswer int
}

// Bounds on questions about manifests, of one node: how many are worked at, how many may be there, how many bytes of them the
// client keeps, and how long one takes. What is beyond is refused at once.
const (
	maxRunning      = 32
	maxAdmitted     = 96
	maxPending      = 4096             // in the client, for what is refused as well
	maxPendingBytes = 64 << 20         // the same
	requestTime     = 90 * time.Second // a ticket may be waited for as long as a minute
)

// queueGroup is what the nodes have in common: one of them gets a question.
const queueGroup = "manifests"

// forHeaders is how much of a message is left for its headers.
const forHeaders = 4 << 10

// desk takes questions and answers them, so many at a time.
type desk struct {
	running  chan struct{}
	admitted chan struct{}

	mu     sync.Mutex // guards what follows
	closed bool
	busy   sync.WaitGroup
}

func newDesk() *desk {
	return &desk{running: make(chan struct{}, maxRunning), admitted: make(chan struct{}, maxAdmitted)}
}

// handler answers what comes on subject, and on those of kinds below it. It never blocks: it would keep the client from what came
// meanwhile.
func (d *desk) handler(life context.Context, nc *nats.Conn, sent *arrivals, e Endpoint, subject, node string) func(m *nats.Msg, c *counted) {
	return func(m *nats.Msg, c *counted) {
		if !fleet.Answerable(m.Reply) {
			return
		}
		begun := time.Now()
		answer := func(data []byte, no *Refusal) {
			c.done(begun, no)
			reply(nc, m.Reply, node, data, no)
		}
		headers, err := ReadHeaders(m.Header)
		if err != nil {
			answer(nil, refusalOf(err))
			return
		}
		left, why := sent.left(headers[TimeoutHeader], begun)
		if why == nil {
			why = d.admit()
		}
		if why != nil {
			answer(nil, why)
			return
		}
		go func() {
			defer d.leave()
			ctx, cancel := context.WithDeadline(life, begun.Add(left))
			defer cancel()
			select {
			case d.running <- struct{}{}:
				defer func() { <-d.running }()
			case <-ctx.Done():
				answer(nil, later("the node is ending, or too busy: nothing was done"))
				return
			}
			most := int(nc.MaxPayload()) - forHeaders
			answer(e.answer(ctx, Question{Body: m.Data, Kind: strings.TrimPrefix(strings.TrimPrefix(m.Subject, subject), "."), Header: func(name string) string { return headers[name] }, MaxAnswer: most}))
		}()
	}
}

// reply answers a request, with a refusal as an error of the micro protocol.
func reply(nc *nats.Conn, to, node string, data []byte, no *Refusal) {
	msg := &nats.Msg{Subject: to, Data: data, Header: nats.Header{nodeHeader: {node}}}
	if no != nil {
		msg.Header[micro.ErrorHeader], msg.Header[micro.ErrorCodeHeader] = []string{headline(no.Text)}, []string{strconv.Itoa(no.Code)}
		msg.Data, _ = json.Marshal(no) //nolint:errchkjson // texts and numbers only
	}
	_ = nc.PublishMsg(msg)
}

// refusalOf is err as an asker is told of it.
func refusalOf(err error) *Refusal {
	var r *Refusal
	if !errors.As(err, &r) {
		r = Refuse(http.StatusInternalServerError, "", "%v", err)
	}
	return r
}

// answer is the answer in JSON, or why there is none.
func (e Endpoint) answer(ctx context.Context, q Question) ([]byte, *Refusal) {
	v, err := e.Answer(ctx, q)
	if err != nil {
		return nil, refusalOf(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, Refuse(http.StatusInternalServerError, "", "the answer could not be encoded: %v", err)
	}
	if len(data) > q.MaxAnswer {
		return nil, Refuse(http.StatusRequestEntityTooLarge, "", "the answer has %d bytes, and a message of these servers at most %d: "+
			"ask for less at a time, or over HTTP", len(data), q.MaxAnswer)
	}
	return data, nil
}

// admit lets a question in, or says why not.
func (d *desk) admit() *Refusal {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return later("the node is ending: nothing was done")
	}
	select {
	case d.admitted <- struct{}{}:
		d.busy.Add(1)
		return nil
	default:
		return later("%d requests wait here already: nothing was done", maxAdmitted)
	}
}

func (d *desk) leave() {
	<-d.admitted
	d.busy.Done()
}

// grace is how long questions under way may take when the node ends.
const grace = 5 * time.Second

// close lets in nothing more, and returns when what was let in is answered; after grace it is told to end by cancel.
func (d *desk) close(cancel context.CancelFunc) {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	late := time.AfterFunc(grace, cancel)
	d.busy.Wait()
	late.Stop()
	cancel()
}
