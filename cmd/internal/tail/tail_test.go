package tail

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
)

// patience is how long a test waits for what has to happen; nothing is measured with it.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log is a fleet's stream on a real server. It republishes nothing by itself: the test is the live feed, and may lose what
// it likes.
type log struct {
	t    *testing.T
	conn *nats.Conn
	js   jetstream.JetStream

	mu     sync.Mutex // guards stored
	stored []*nats.Msg
}

func newLog(t *testing.T) *log {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	conn, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: event.StreamName("shop"), Subjects: []string{event.LogSubject("shop", ">")}, AllowDirect: true, Storage: jetstream.MemoryStorage,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &log{t: t, conn: conn, js: js}
}

// store appends events that say the tags n:<from> … n:<to-1>.
func (l *log) store(from, to int) {
	l.t.Helper()
	for i := from; i < to; i++ {
		m, err := event.Encode("shop", event.Event{Source: "/test", Targets: []event.Target{event.Tag("n:" + strconv.Itoa(i))}})
		if err != nil {
			l.t.Fatal(err)
		}
		msg := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
		ack, err := l.js.PublishMsg(l.t.Context(), msg)
		if err != nil {
			l.t.Fatal(err)
		}
		live := nats.NewMsg(event.LiveSubject("shop", m.Subject[len(event.LogSubject("shop", "")):]))
		live.Data = m.Data
		for name, values := range m.Header {
			live.Header[name] = values
		}
		live.Header[nats.JSStream] = []string{ack.Stream}
		live.Header[nats.JSSubject] = []string{m.Subject}
		live.Header[nats.JSSequence] = []string{strconv.FormatUint(ack.Sequence, 10)}
		live.Header[nats.JSTimeStamp] = []string{time.Now().UTC().Format(time.RFC3339Nano)}
		l.mu.Lock()
		l.stored = append(l.stored, live)
		l.mu.Unlock()
	}
}

// republish says stored messages on the live subject.
func (l *log) republish(from, to int) {
	l.t.Helper()
	for _, m := range l.stored[from:to] {
		if err := l.conn.PublishMsg(m); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *log) inspect(ctx context.Context) (Stream, error) {
	s, err := l.js.Stream(ctx, event.StreamName("shop"))
	if err != nil {
		return Stream{}, err
	}
	state := s.CachedInfo().State
	return Stream{Fleet: "shop", Epoch: "e", First: state.FirstSeq, Last: state.LastSeq}, nil
}

// expect is a yield that wants n:<from>, n:<from+1>, … and ends with errEnough after n:<to-1>.
func expect(t *testing.T, from, to int) func(Message) error {
	next := from
	return func(m Message) error {
		if want := "n:" + strconv.Itoa(next); len(m.Targets) != 1 || m.Targets[0].Name() != want || m.Token.Sequence() != uint64(next+1) || m.Token.Epoch() != "e" {
			t.Errorf("got %v at %s, want %s", m.Targets, m.Token, want)
		}
		next++
		if next == to {
			return errEnough
		}
		return nil
	}
}

var errEnough = errors.New("enough")

func TestReadBringsEveryMessageOfARangeInOrder(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	const n = 3*batch + 7
	l.store(0, n)
	s, err := l.inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := Read(t.Context(), l.conn, s, 11, n, expect(t, 10, n)); !errors.Is(err, errEnough) {
		t.Fatalf("not all of it: %v", err)
	}
}

func TestFollowFillsWhatTheFeedLost(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.store(0, 10)
	began := make(chan struct{})
	inspected := 0
	inspect := func(ctx context.Context) (Stream, error) {
		inspected++
		if inspected == 2 { // the second time is after it has subscribed
			defer close(began)
		}
		return l.inspect(ctx)
	}
	go func() {
		<-began
		l.store(10, 40)
		l.republish(12, 13) // 10 and 11 lost
		l.republish(13, 15)
		l.republish(14, 15) // said twice
		l.republish(39, 40) // 15 to 38 lost
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := Follow(ctx, l.conn, inspect, Options{}, expect(t, 10, 40)); !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
}

func TestFollowBeginsWhereItWasToldAndStopsAtTheEnd(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.store(0, batch+5)
	err := Follow(t.Context(), l.conn, l.inspect, Options{Since: time.Unix(1, 0), Stop: true}, expect(t, 0, batch+5))
	if !errors.Is(err, errEnough) {
		t.Errorf("from the beginning: %v", err)
	}
	later := time.Now().Add(time.Hour)
	if err := Follow(t.Context(), l.conn, l.inspect, Options{Since: later, Stop: true}, func(m Message) error {
		return fmt.Errorf("shown, but older than asked for: %s", m.Token)
	}); err != nil {
		t.Error(err)
	}
}

func TestFollowNoticesAStreamThatBeganAnew(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	l.store(0, 20)
	began := make(chan struct{})
	inspected := 0
	inspect := func(ctx context.Context) (Stream, error) {
		inspected++
		if inspected == 2 {
			defer close(began)
		}
		return l.inspect(ctx)
	}
	go func() {
		<-began
		if err := l.js.DeleteStream(t.Context(), event.StreamName("shop")); err != nil {
			t.Error(err)
		}
		if _, err := l.js.CreateStream(t.Context(), jetstream.StreamConfig{
			Name: event.StreamName("shop"), Subjects: []string{event.LogSubject("shop", ">")}, AllowDirect: true, Storage: jetstream.MemoryStorage,
		}); err != nil {
			t.Error(err)
		}
		l.store(0, 3)
		l.republish(20, 23)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	noted := 0
	err := Follow(ctx, l.conn, inspect, Options{Note: func(string) { noted++ }}, expect(t, 0, 3))
	if !errors.Is(err, errEnough) || noted != 1 {
		t.Fatalf("%v, noted %d times", err, noted)
	}
}

func TestForgedServerHeadersAreNotBelieved(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	msg := nats.NewMsg(event.LogSubject("shop", "tag.n"))
	msg.Data = []byte(`{"specversion":"1.0","id":"1","source":"/x","type":"dev.lethe.invalidated.v1","data":{"targets":[{"tag":"n:0"}]}}`)
	msg.Header[nats.JSSequence] = []string{"999999"}
	if _, err := l.js.PublishMsg(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	s, err := l.inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := Read(t.Context(), l.conn, s, 1, 1, expect(t, 0, 1)); !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
}
