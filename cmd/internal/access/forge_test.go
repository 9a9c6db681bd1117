package access

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// attacked is a node that remembers a price and a total, a user who may speak of catalog.* alone, and an admin who looks.
type attacked struct {
	*peer
	team, admin *conn
}

func attack(t *testing.T) attacked {
	t.Helper()
	c, users := newCrew(t)
	url := serve(t, users...)
	n := join(t, login(t, url, c.node), lethe.Config{Name: c.node.Name, MaxStaleness: 5 * time.Second}).ready()
	n.fill()
	return attacked{n, login(t, url, c.team), login(t, url, c.admin)}
}

// settle returns when the node has applied all that the attacker has sent.
func (a attacked) settle() {
	a.t.Helper()
	if err := a.team.FlushTimeout(patience); err != nil {
		a.t.Fatal(err)
	}
	by := join(a.t, a.team, lethe.Config{PublishOnly: true, ExternalStream: true}).ready()
	if err := a.Wait(within(a.t, patience), by.say(event.Function("catalog.other"))); err != nil {
		a.t.Fatal(err)
	}
}

// stored counts what the stream holds on a subject.
func (a attacked) stored(subject string) uint64 {
	a.t.Helper()
	js, err := jetstream.New(a.admin.Conn)
	if err != nil {
		a.t.Fatal(err)
	}
	s, err := js.Stream(a.t.Context(), "LETHE_SHOP")
	if err != nil {
		a.t.Fatal(err)
	}
	info, err := s.Info(a.t.Context(), jetstream.WithSubjectFilter(subject))
	if err != nil {
		a.t.Fatal(err)
	}
	return info.State.Subjects[subject]
}

// The server sends its answers wherever a request says, and asks for no permission. In an account of their own, publishers get
// them back there.
func TestAnAnswerSentToAnotherSubjectStaysInTheAccountThatAsked(t *testing.T) {
	t.Parallel()
	a := attack(t)
	for _, subject := range []string{"lethe.v1.log.shop.fn.catalog.price", "$JS.API.STREAM.INFO.LETHE_SHOP", "lethe.v1.ctl.shop.barrier"} {
		for _, reply := range []string{
			"lethe.v1.log.shop.all", "lethe.v1.live.shop.all", "lethe.v1.log.shop.fn.billing.total", "lethe.v1.live.shop.fn.billing.total",
			"lethe.v1.log.shop._sys.lost", "lethe.v1.live.shop._sys.lost", "lethe.v1.ctl.shop.presence.web-1",
			"$JS.API.STREAM.PURGE.LETHE_SHOP", "$JS.API.STREAM.DELETE.LETHE_SHOP",
		} {
			if err := a.team.PublishRequest(subject, reply, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.settle()
	for _, subject := range []string{"lethe.v1.log.shop.all", "lethe.v1.log.shop.fn.billing.total", "lethe.v1.log.shop._sys.lost"} {
		if n := a.stored(subject); n > 0 {
			t.Errorf("%d answers are stored on %s", n, subject)
		}
	}
	a.keeps("answers sent elsewhere", a.total)
	if got := a.read(a.price); got != lethe.Miss {
		t.Errorf("garbage on the price's own subject: %v, want a miss", got)
	}
}

// bodies that say more than their subject allows, or nothing that can be understood.
func bodies() []string {
	return []string{
		"", "{", "null", "[]", `"x"`, "\x00\xff\xfe", strings.Repeat("[", 10_000), strings.Repeat("x", 60_000),
		`{"targets":[{"all":true}]}`, `{"targets":[{"function":"billing.total"}]}`, `{"targets":[{"tag":"user:42"}]}`,
		`{"specversion":"1.0","id":"1","source":"/x","type":"dev.lethe.invalidated.v1","data":{"targets":[{"all":true}]}}`,
		`{"specversion":"1.0","id":"1","source":"/x","type":"dev.lethe.invalidated.v9","data":{"targets":[{"everything":1}]}}`,
		`{"specversion":"1.0","id":"1","source":"/x","type":"dev.lethe.tick.v1","data":{"node":"web-1"}}`,
		`{"stream":"LETHE_SHOP","seq":1}`,
	}
}

// headers a publisher may set as it likes.
func headers() []nats.Header {
	at := time.Now().UTC().Format(time.RFC3339Nano)
	forged := nats.Header{
		"Nats-Stream": {"LETHE_SHOP"}, "Nats-Subject": {"lethe.v1.log.shop.all"}, "Nats-Sequence": {"99999999999999"},
		"Nats-Time-Stamp": {at}, "Nats-Last-Sequence": {"1"}, "Nats-Num-Pending": {"0"},
	}
	return []nats.Header{
		nil, forged,
		{"nats-stream": {"LETHE_SHOP"}, "NATS-SEQUENCE": {"1"}, "nats-subject": {"lethe.v1.log.shop.all"}, "Nats-time-stamp": {at}},
		{"Nats-Sequence": {"1", "2", "x"}, "Nats-Stream": {"OTHER", ""}},
		{"Nats-Trace-Dest": {"lethe.v1.log.shop.all"}},
		{"Nats-Trace-Dest": {"lethe.v1.live.shop.all"}},
		{"Nats-Rollup": {"all"}},
		{"Nats-TTL": {"1s"}},
		{"Nats-Expected-Last-Sequence": {"7"}},
		{"Nats-Msg-Id": {"tick-1"}},
		{"Nats-Schedule": {"@every 1s"}, "Nats-Schedule-Target": {"lethe.v1.log.shop.all"}},
		{"Nats-Batch-Id": {"1"}, "Nats-Batch-Sequence": {"1"}},
		{"Status": {"100"}, "Description": {"FlowControl Request"}},
		{"Nats-Request-Info": {`{"acc":"LETHE_SHOP"}`}},
		{"ce-type": {"dev.lethe.invalidated.v1"}, "ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/lethe/shop/web-1"}, "ce-subject": {"all"}},
		{"ce-type": {"%"}, "CE-TYPE": {"x"}, "content-type": {"application/cloudevents+json"}, "Content-Type": {"text/plain"}},
	}
}

func TestGarbageAndForgedHeadersForgetNoMoreThanTheirSubject(t *testing.T) {
	t.Parallel()
	a := attack(t)
	before := a.Status()
	for _, header := range headers() {
		for _, body := range bodies() {
			if err := a.team.PublishMsg(&nats.Msg{Subject: "lethe.v1.log.shop.fn.catalog.price", Header: header, Data: []byte(body)}); err != nil {
				t.Fatal(err)
			}
		}
		a.settle()
		a.keeps(fmt.Sprintf("after %v", header), a.total)
	}
	if got := a.read(a.price); got != lethe.Miss {
		t.Errorf("the price: %v, want a miss", got)
	}
	if after := a.Status(); after.Resets != before.Resets || after.State != lethe.Current || after.Cursor > before.Cursor+10_000 {
		t.Errorf("%+v after %+v: want no Reset, and the stream's own numbers", after, before)
	}
	if n := a.stored("lethe.v1.log.shop.all"); n > 0 {
		t.Errorf("%d messages are stored on all", n)
	}
}

func TestSquattedTickIDsTakeNoLeaseAway(t *testing.T) {
	t.Parallel()
	a := attack(t)
	for at := range int64(120) { // the ids of two minutes, taken before any node says them
		id := fmt.Sprintf("tick-%d", time.Now().Unix()+at-5)
		err := a.team.PublishMsg(&nats.Msg{Subject: "lethe.v1.log.shop.fn.catalog.x", Header: nats.Header{"Nats-Msg-Id": {id}}, Data: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
	}
	a.settle()
	end := time.After(7 * time.Second) // longer than the bound: whatever was proved before is over
	for over := false; !over; {
		select {
		case <-end:
			over = true
		case <-time.After(50 * time.Millisecond):
		}
		a.keeps("while tick ids are taken", a.total)
	}
}

func TestALiveMessageThatTheServerDidNotStampForgetsNoMoreThanItsSubject(t *testing.T) {
	t.Parallel()
	node, root := of(t, Options{Role: Node}), of(t, Options{Role: Admin, Name: "root"})
	root.Publish = []Grant{{Subject: ">"}} // nobody has that who is given what this package prints
	url := serve(t, node, root)
	n := join(t, login(t, url, node), lethe.Config{Name: node.Name}).ready()
	n.fill()
	nc := login(t, url, root)
	by := join(t, nc, lethe.Config{PublishOnly: true}).ready()
	for _, header := range []nats.Header{
		nil,
		{"Nats-Stream": {"OTHER"}, "Nats-Sequence": {"1"}, "Nats-Subject": {"lethe.v1.log.shop.all"}},
		{"nats-stream": {"LETHE_SHOP"}, "nats-sequence": {"99999999999999"}},
		{"Nats-Stream": {"LETHE_SHOP"}, "Nats-Sequence": {"x"}},
	} {
		for _, body := range bodies() {
			if err := nc.PublishMsg(&nats.Msg{Subject: "lethe.v1.live.shop.fn.catalog.price", Header: header, Data: []byte(body)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := n.Wait(within(t, patience), by.say(event.Function("catalog.other"))); err != nil {
		t.Fatal(err)
	}
	n.keeps("forged live messages", n.total)
	if s := n.Status(); s.Resets != 0 || s.State != lethe.Current {
		t.Errorf("%+v: want no Reset but the first, and a lease", s)
	}
}

// Who has one account for all is not without defence: an answer that arrives as an event is none.
func TestInOneAccountAnAnswerSentToAnotherSubjectIsNoEvent(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	for i := range users {
		users[i].Role = Admin // which is not a guest; what it may do stays
	}
	url := serve(t, users...)
	n := join(t, login(t, url, c.node), lethe.Config{Name: c.node.Name}).ready()
	n.fill()
	a := attacked{n, login(t, url, c.team), login(t, url, c.admin)}
	for _, subject := range []string{"lethe.v1.log.shop.fn.catalog.price", "$JS.API.STREAM.INFO.LETHE_SHOP", "lethe.v1.ctl.shop.barrier"} {
		for _, reply := range []string{"lethe.v1.log.shop.all", "lethe.v1.live.shop.all", "lethe.v1.log.shop.fn.billing.total"} {
			if err := a.team.PublishRequest(subject, reply, []byte("{}")); err != nil {
				t.Fatal(err)
			}
		}
		a.settle()
		a.keeps("answers to "+subject+" sent elsewhere", n.total)
	}
	if a.stored("lethe.v1.log.shop.all") == 0 {
		t.Error("the server no longer sends answers anywhere: this test tests nothing")
	}
}
