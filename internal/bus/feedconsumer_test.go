package bus

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
)

// patience is how long a test waits for what must happen; nothing is measured with it.
const patience = 2 * time.Minute

// rig is a consumed feed on a real server, without the bus behind it.
type rig struct {
	*consumed
	t     *testing.T
	admin *nats.Conn

	mu   sync.Mutex // guards what follows
	came []Arrival
	told []error
}

func newRig(t *testing.T) *rig {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &rig{t: t}
	var nc *nats.Conn
	for _, to := range []**nats.Conn{&r.admin, &nc} {
		if *to, err = srv.Connect(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*to).Close)
	}
	if _, err := Ensure(t.Context(), r.admin, "shop", EnsureOptions{Consumer: true}); err != nil {
		t.Fatal(err)
	}
	base := time.Now()
	cfg := &Config{Conn: nc, Fleet: "shop", Name: "n1", Now: func() int64 { return int64(time.Since(base)) + 1 }}
	r.consumed = newConsumed(cfg, request, func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = append(r.told, err)
	})
	if err := r.Start(func(a Arrival) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.came = append(r.came, a)
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

func (r *rig) arm() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	if err := r.Arm(ctx); err != nil {
		r.t.Fatal(err)
	}
}

// store appends n events and returns when they are stored.
func (r *rig) store(n int) {
	r.t.Helper()
	for range n {
		if _, err := r.admin.Request(event.LogSubject("shop", "tag.user"), []byte("x"), patience); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) arrivals() []Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Arrival(nil), r.came...)
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("never happened: %s", what)
		}
	}
}

func TestAConsumerDeliversOnlyWhatIsStoredAfterItWasMade(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store(5)
	r.arm()
	r.store(3)
	r.eventually("three arrivals", func() bool { return len(r.arrivals()) == 3 })
	r.arm()
	r.store(1)
	r.eventually("one more", func() bool { return len(r.arrivals()) >= 4 })
	came := r.arrivals()
	for i, a := range came {
		if want := came[0].Stamp.Sequence + uint64(i); a.Stamp.Sequence != want || len(came) != 4 {
			t.Errorf("arrival %d of %d is %d, want %d: something was repeated", i, len(came), a.Stamp.Sequence, want)
		}
	}
}

func TestAnArmHearsAStreamThatWasMadeAnew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.arm()
	if _, err := r.admin.Request("$JS.API.STREAM.DELETE."+r.stream, nil, patience); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), r.admin, "shop", EnsureOptions{Consumer: true}); err != nil {
		t.Fatal(err)
	}
	r.arm()
	r.store(1)
	r.eventually("it arrives", func() bool { return len(r.arrivals()) == 1 })
}

// 1. The connection breaks; what is stored meanwhile waits at the consumer.
// 2. The client comes back and subscribes to its inbox again, before anybody arms anew.
// 3. The consumer delivers it, as if it had just been stored.
func TestWhatAConsumerOfAnEarlierConnectionDeliversDoesNotCount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.arm()
	in := r.inbox.Load()
	if err := r.nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	r.eventually("a new connection", func() bool { return connNumber(r.nc) == 2 && r.nc.IsConnected() })
	r.store(5)
	r.eventually("five arrivals in the old inbox", func() bool { return in.number.Load() == 5 })
	if err := r.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	r.arm()
	r.store(1)
	r.eventually("an arrival", func() bool { return len(r.arrivals()) > 0 })
	if came := r.arrivals(); len(came) != 1 || came[0].Conn != 2 || came[0].Number <= 5 {
		t.Errorf("%d arrivals, the first is number %d of connection %d: one counts, the sixth", len(came), came[0].Number, came[0].Conn)
	}
}

func TestWhatIsLeftInAnOldInboxDoesNotCount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.arm()
	old := r.inbox.Load()
	r.arm()
	before := r.Mark()
	old.sub = nil
	m := &nats.Msg{Reply: "$JS.ACK." + r.stream + "." + old.name + ".1.7.1.1700000000000000000.0", Data: []byte("x"), Subject: "s"}
	r.hear(old, m)
	if came := r.arrivals(); len(came) != 0 {
		t.Errorf("it was delivered: %+v", came[0])
	}
	r.hear(r.inbox.Load(), &nats.Msg{Reply: "$JS.ACK." + r.stream + "." + r.inbox.Load().name + ".1.7.1.1700000000000000000.0", Data: []byte("x")})
	if came := r.arrivals(); len(came) != 1 || came[0].Number <= before {
		t.Errorf("in the present inbox it counts, above all there was before: %+v, before it %d", came, before)
	}
}

func TestAnInboxBelievesItsOwnConsumerOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.arm()
	in := r.inbox.Load()
	const rest = ".1.7.1.1700000000000000000.0"
	for _, reply := range []string{
		"", "_INBOX.x", "$JS.ACK.OTHER." + in.name + rest, "$JS.ACK." + r.stream + ".other" + rest, "$JS.ACK." + r.stream + "." + in.name,
		"$JS.ACK." + r.stream + "." + in.name + ".1.0.1.1700000000000000000.0", "$JS.ACK." + r.stream + "." + in.name + ".1.7.1.-5.0",
	} {
		n := len(r.arrivals())
		r.hear(in, &nats.Msg{Subject: in.sub.Subject, Reply: reply, Data: []byte("x")})
		if a := r.arrivals()[n]; !a.Foreign || a.Stamp.Sequence != 0 || a.Data != nil {
			t.Errorf("reply %q is believed: %+v", reply, a)
		}
	}
	// Who has guessed inbox and consumer gets no further: the server lets no client give an ack's subject for an answer.
	refused := make(chan error, 1)
	r.admin.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err })
	n := len(r.arrivals())
	forged := &nats.Msg{Subject: in.sub.Subject, Reply: "$JS.ACK." + r.stream + "." + in.name + rest, Data: []byte("x")}
	if err := r.admin.PublishMsg(forged); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-refused:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("the server does not refuse it")
	}
	if got := len(r.arrivals()); got != n {
		t.Error("it has arrived")
	}
}

func TestAStoredMessageThatLooksLikeANoticeIsAMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.arm()
	m := &nats.Msg{
		Subject: event.LogSubject("shop", "tag.user"),
		Header:  nats.Header{"Status": {"100"}, "Nats-Consumer-Stalled": {event.LogSubject("shop", "all")}, "Nats-Sequence": {"1"}},
	}
	if _, err := r.admin.RequestMsg(m, patience); err != nil {
		t.Fatal(err)
	}
	r.eventually("it arrives", func() bool { return len(r.arrivals()) == 1 })
	if a := r.arrivals()[0]; a.Foreign || a.Stamp.Sequence == 0 || !a.Stamp.Forged || a.Stamp.Stream != r.stream {
		t.Errorf("%+v", a)
	}
}

func TestFlowControlIsAnsweredWhereItBelongsAndNowhereElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	heard := func(subject string) *nats.Subscription {
		sub, err := r.admin.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.admin.Flush(); err != nil {
			t.Fatal(err)
		}
		return sub
	}
	flow, all := heard("$JS.FC.x.>"), heard("all.>")
	r.arm()
	in := r.inbox.Load()
	at := in.heard.Load()
	notice := func(reply string, header ...string) {
		h := nats.Header{"Status": {"100"}, "Description": {"Idle Heartbeat"}}
		for i := 0; i < len(header); i += 2 {
			h[header[i]] = []string{header[i+1]}
		}
		r.hear(in, &nats.Msg{Subject: in.sub.Subject, Reply: reply, Header: h})
	}
	notice("all.of.it")
	notice("", "Nats-Consumer-Stalled", "all.of.it")
	notice("$JS.FC.x.1")
	notice("", "Nats-Consumer-Stalled", "$JS.FC.x.2")
	for _, want := range []string{"$JS.FC.x.1", "$JS.FC.x.2"} {
		if m, err := flow.NextMsg(patience); err != nil || m.Subject != want {
			t.Fatalf("%v, want %s: %v", m, want, err)
		}
	}
	if n, _, err := all.Pending(); n != 0 || err != nil {
		t.Errorf("the node says what it is told to: %d messages, %v", n, err)
	}
	if in.heard.Load() == at {
		t.Error("a heartbeat is no sign of life")
	}
	if came := r.arrivals(); len(came) != 1 || !came[0].Foreign {
		t.Errorf("%+v: who asks for an answer elsewhere is a stranger", came)
	}
}

func TestArmingFailsWithoutAStreamAndWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.admin.Request("$JS.API.STREAM.DELETE."+r.stream, nil, patience); err != nil {
		t.Fatal(err)
	}
	if err := r.Arm(t.Context()); !errors.Is(err, ErrNoStream) || !strings.Contains(err.Error(), r.stream) {
		t.Errorf("error %v", err)
	}
	r.arming <- struct{}{}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Arm(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	<-r.arming
}

// count counts the stream's consumers.
func (r *rig) count() int {
	r.t.Helper()
	info, err := Inspect(r.t.Context(), r.admin, "shop")
	if err != nil {
		r.t.Fatal(err)
	}
	return info.State.Consumers
}

func TestEveryArmLeavesOneConsumerAndStopNone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 5 {
		r.arm()
	}
	r.eventually("one consumer is left", func() bool { return r.count() == 1 })
	r.Stop()
	if n := r.count(); n != 0 {
		t.Errorf("%d consumers when Stop has returned", n)
	}
}

func TestAConsumerWhoseMakingGotNoAnswerIsRemovedAsWell(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var answers atomic.Bool
	r.ask = func(ctx context.Context, nc *nats.Conn, m *nats.Msg) (*nats.Msg, error) {
		answer, err := request(ctx, nc, m)
		if !answers.Load() {
			return nil, context.DeadlineExceeded
		}
		return answer, err
	}
	if err := r.Arm(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	if n := r.count(); n != 1 {
		t.Fatalf("%d consumers: the test is about one that was made", n)
	}
	answers.Store(true)
	r.arm()
	r.eventually("it is gone, and one is there", func() bool { return r.count() == 1 })
}
