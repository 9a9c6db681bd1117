package lethe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

const (
	hostileRoot  = "lethe.v1.log.shop."
	hostileBatch = 250 // messages between two looks at the node
	hostileHeap  = 32 << 20
)

// hostileMessages is how many messages the attacker sends: 20,000, or LETHE_HOSTILE.
func hostileMessages(t *testing.T) int {
	t.Helper()
	text := os.Getenv("LETHE_HOSTILE")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < hostileBatch {
		t.Fatalf("LETHE_HOSTILE=%s: give a number of messages, at least %d", text, hostileBatch)
	}
	return n
}

// attacker may speak of fn.catalog.>, tag.user, manifest.chatbot.* and _sys.tick, and says anything there in any form.
type attacker struct {
	t    *testing.T
	nc   *nats.Conn
	rng  *rand.Rand
	sent int // that ask for an answer, which all on the log do once a batch
}

func (a *attacker) one(words ...string) string { return words[a.rng.IntN(len(words))] }

func (a *attacker) bytes(most int) []byte {
	b := make([]byte, a.rng.IntN(most+1))
	for i := range b {
		b[i] = byte(a.rng.Uint32())
	}
	return b
}

func (a *attacker) subject() string {
	return a.one(
		"fn.catalog.price", "fn.catalog.price", "fn.catalog.stock.deep", "fn.catalog.9", "fn.catalog.a_-", "fn.catalog.%2e", "fn.catalog.*",
		"tag.user", "tag.user", "manifest.chatbot.applied", "manifest.chatbot.deleted", "manifest.chatbot.invalidated", "manifest.chatbot.later",
		"_sys.tick", "_sys.tick",
	)
}

// body is an event, of the attacker's own things or of others', whole, cut, bent or none at all.
func (a *attacker) body() []byte {
	targets := a.one(
		`[{"function":"catalog.price","args":["k"]}]`, `[{"function":"billing.total"}]`, `[{"function":"catalog.price","args":["k",1,{}]}]`,
		`[{"all":true}]`, `[{"tag":"user:1"},{"tag":"team:7"}]`, `[{"tagPrefix":"team:"}]`, `[{"tagPrefix":"user:4"}]`, `[{"everything":1}]`, `[]`, `null`,
		`[{"function":"catalog.price","argsHash":"BkrKn5IOmy7DaQ4PdOXBVg"}]`, `[{"tag":"user:1","soft":true,"recursive":true}]`, `{}`,
	)
	data := fmt.Sprintf(`{"apiVersion":"a/v1","kind":%q,"namespace":"acme","name":"helper","generation":%d,"targets":%s}`,
		a.one("Chatbot", "Team", "", "chatbot"), a.rng.Uint64(), targets)
	switch a.rng.IntN(10) {
	case 0:
		return a.bytes(300)
	case 1:
		return []byte(strings.Repeat(a.one("[", `{"targets":`, "\xff", "1e9"), a.rng.IntN(2000)))
	case 2:
		return []byte(data[:a.rng.IntN(len(data))])
	case 3:
		b := []byte(data)
		b[a.rng.IntN(len(b))] = byte(a.rng.Uint32())
		return b
	case 4, 5, 6:
		return fmt.Appendf(nil, `{"specversion":%q,"id":"%d","source":"/x","type":%q,"datacontenttype":%q,"data":%s}`,
			a.one("1.0", "1.0", "0.3", "2.0"), a.rng.IntN(9), a.kind(), a.one("application/json", "text/xml"), data)
	case 7:
		if a.rng.IntN(100) == 0 {
			return []byte(strings.Repeat("x", 60<<10))
		}
		return nil
	}
	return []byte(data)
}

func (a *attacker) kind() string {
	return a.one(event.TypeInvalidated, event.TypeInvalidated, event.TypeManifestApplied, event.TypeManifestDeleted, event.TypeTick, event.TypeReset,
		"dev.lethe.invalidated.v2", "io.example", "")
}

// header is of binary mode, of the server, or of neither.
func (a *attacker) header() nats.Header {
	h := nats.Header{}
	for range a.rng.IntN(4) {
		switch a.rng.IntN(4) {
		case 0:
			h[a.one("ce-type", "CE-Type", "cE-tYPE")] = []string{a.kind()}
			h[a.one("ce-specversion", "Ce-Specversion")] = []string{a.one("1.0", "1%2E0", "9", "%")}
			h["ce-source"] = []string{a.one("/x", "/lethe/shop/node", "%zz", strings.Repeat("s", 3000))}
			h["ce-id"] = []string{strconv.Itoa(a.rng.IntN(9))}
		case 1:
			h[a.one("content-type", "Content-Type", "CONTENT-TYPE")] = []string{a.one("application/json", "application/cloudevents+json", "Application/CloudEvents", "x")}
		case 2:
			h[a.one("Nats-Sequence", "nats-sequence", "NATS-SEQUENCE", "Nats-sequence")] = []string{a.one("1", "99999999999999", "-1", "x", ""), "7"}
			h[a.one("Nats-Stream", "nats-stream")] = []string{a.one("LETHE_SHOP", "OTHER")}
			h[a.one("Nats-Subject", "nats-Subject")] = []string{hostileRoot + "all"}
			h[a.one("Nats-Time-Stamp", "nats-time-stamp")] = []string{a.one("2001-01-01T00:00:00Z", "soon")}
		case 3:
			h[a.one("ce-", "ce-traceparent", "ce-time", "X", "Status", "Nats-Last-Sequence")] = []string{string(a.bytes(0)) + a.one("", "100", "00-zz-1-01", "yesterday")}
		}
	}
	return h
}

// speak sends one message: stored, refused, or played on the live feed by one who has no stream.
func (a *attacker) speak() {
	m := &nats.Msg{Subject: hostileRoot + a.subject(), Header: a.header(), Data: a.body()}
	switch a.rng.IntN(20) {
	case 0: // the ids that the fleet's ticks will want
		m.Subject = hostileRoot + event.SysTick
		m.Header["Nats-Msg-Id"] = []string{"tick-" + strconv.FormatInt(time.Now().Unix()+int64(a.rng.IntN(30)), 10)}
	case 1: // a live message that no server stored
		m.Subject = strings.Replace(m.Subject, ".log.", ".live.", 1)
		for _, key := range []string{"Nats-Sequence", "Nats-Stream", "Nats-Subject", "Nats-Time-Stamp"} {
			delete(m.Header, key)
		}
	case 2: // what the stream refuses
		m.Header[a.one("Nats-Rollup", "Nats-TTL", "Nats-Expected-Last-Sequence", "Nats-Expected-Stream")] = []string{a.one("all", "1s", "5", "OTHER")}
	}
	if err := a.nc.PublishMsg(m); err != nil {
		a.t.Fatal(err)
	}
	a.sent++
}

// settled is when the node has applied what was sent. It returns the sequence of the message that shows it.
func (a *attacker) settled(n *lethe.Node) uint64 {
	a.t.Helper()
	answer, err := a.nc.RequestWithContext(within(a.t), hostileRoot+"fn.catalog.other", []byte("{"))
	if err != nil {
		a.t.Fatal(err)
	}
	var ack struct{ Seq uint64 }
	if err := json.Unmarshal(answer.Data, &ack); err != nil || ack.Seq == 0 {
		a.t.Fatalf("%s: %v", answer.Data, err)
	}
	until(a.t, "the node is where the stream is", func() bool { return n.Status().Cursor >= ack.Seq })
	return ack.Seq
}

// bystanders are functions that nothing the attacker may say concerns, though their names are like its own.
func bystanders(t *testing.T, n *lethe.Node, loads *int) func(what string) {
	t.Helper()
	load := func(context.Context, string) (int, error) { *loads++; return 1, nil }
	var fs []*lethe.Func[string, int]
	for name, tag := range map[string]string{
		"billing.total": "team:7", "catalog": "users:1", "catalogue.price": "user-x:1", "catalo": "chatbots:acme/helper", "fn.catalog.price": "catalog:price",
	} {
		fs = append(fs, lethe.Memoize(n, event.Name[string](name), load, lethe.WithTags(func(string, int) []string { return []string{tag} })))
	}
	return func(what string) {
		t.Helper()
		for _, f := range fs {
			if _, err := f.Get(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
		}
		if *loads != len(fs) {
			t.Fatalf("%s: %d loads of %d values that it may not touch", what, *loads, len(fs))
		}
	}
}

// It counts heap and goroutines, so it runs alone.
func TestAStormOfHostileMessagesChangesNothingBeyondItsSubjects(t *testing.T) {
	n, nc := wire(t)
	by := must[*lethe.Node](t)(lethe.Open(within(t), lethe.Config{Conn: nc, Fleet: "shop", PublishOnly: true}))
	t.Cleanup(func() { _ = by.Close() })
	if err := by.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	a := &attacker{t: t, nc: nc, rng: rand.New(rand.NewPCG(1, 9))}
	loads := 0
	untouched := bystanders(t, n, &loads)
	b := newBook()
	price := lethe.Memoize(n, "catalog.price", b.load)
	untouched("the first reads")
	good := func() {
		t.Helper()
		want := must[int](t)(price.Get(t.Context(), "k"))
		b.write("k")
		token := must[event.Token](t)(by.Invalidate(within(t), event.Key("catalog.price", "k")))
		lethetest.WaitAll(t, token, n)
		if v := must[int](t)(price.Get(t.Context(), "k")); v != want+1 {
			t.Fatalf("after a good invalidation: version %d, want %d", v, want+1)
		}
	}

	total, begun := hostileMessages(t), time.Now()
	var heapBefore uint64
	var routinesBefore int
	resets := n.Status().Resets
	warm := min(total/4, 50_000)
	first := a.settled(n)
	last := first
	for a.sent < total {
		for range hostileBatch {
			a.speak()
		}
		last = a.settled(n)
		untouched(fmt.Sprintf("after %d messages", a.sent))
		if a.sent%(hostileBatch*8) == 0 {
			good()
		}
		if heapBefore == 0 && a.sent >= warm {
			heapBefore, routinesBefore = heap(), runtime.NumGoroutine()
		}
	}
	good()

	took := time.Since(begun)
	heapAfter := heap()
	if grown := int64(heapAfter) - int64(heapBefore); grown > hostileHeap {
		t.Errorf("the heap has grown by %d bytes between message %d and %d", grown, warm, a.sent)
	}
	until(t, "no goroutine is left behind", func() bool { return runtime.NumGoroutine() <= routinesBefore+4 })
	if s := n.Status(); s.Resets != resets {
		t.Errorf("%d Resets", s.Resets-resets)
	}
	until(t, "the lease is there", func() bool { return n.Status().State == lethe.Current })
	untouched("at the end")
	widened, rejected := 0.0, 0.0
	for _, reason := range []string{
		event.WidenedUnreadable, event.WidenedVersion, event.WidenedType, event.WidenedTarget, event.WidenedPrefix,
	} {
		w := metric(t, n, "lethe_events_widened_total", "reason", reason)
		if w == 0 {
			t.Errorf("nothing was widened because of %s: this run shows too little", reason)
		}
		widened += w
	}
	for _, reason := range []string{event.RejectedSubject, event.RejectedName, event.RejectedSys} {
		r := metric(t, n, "lethe_events_rejected_total", "reason", reason)
		if r == 0 {
			t.Errorf("nothing was rejected because of %s: this run shows too little", reason)
		}
		rejected += r
	}
	t.Logf("%d messages in %v, %d stored; %.0f widened, %.0f rejected; heap %d KiB, then %d KiB; %d goroutines",
		a.sent, took.Round(time.Millisecond), last-first, widened, rejected, heapBefore>>10, heapAfter>>10, runtime.NumGoroutine())
}
