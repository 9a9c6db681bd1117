package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

const patience = 2 * time.Minute

// town is a server with nodes that answer what each of them is given to answer.
type town struct {
	t    *testing.T
	srv  *embedded.Server
	stop map[string]func() error
}

func newTown(t *testing.T) *town {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return &town{t, srv, map[string]func() error{}}
}

func (w *town) connect() *nats.Conn {
	w.t.Helper()
	nc, err := nats.Connect(w.srv.URL(), nats.MaxReconnects(-1), nats.Timeout(patience))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	return nc
}

func (w *town) node(name string, endpoints ...Endpoint) {
	w.t.Helper()
	nc := w.connect()
	n, err := lethe.Open(w.t.Context(), lethe.Config{Conn: nc, Fleet: "shop", Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = n.Close() })
	stop, err := Serve(nc, n, endpoints...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = stop() })
	w.stop[name] = stop
	// Its stream is made: a server that ends while it makes one leaves goroutines behind.
	if err := errors.Join(n.Ready(within(w.t, patience)), nc.FlushTimeout(patience)); err != nil {
		w.t.Fatal(err)
	}
}

func TestOneNodeAnswersAndItDoesNotMatterWhich(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	var asked atomic.Int64
	for _, name := range []string{"one", "two"} {
		w.node(name, Endpoint{What: Get, Answer: func(_ context.Context, q Question) (any, error) {
			asked.Add(1)
			return Name{Kind: name, Name: string(q.Body) + q.Header(ReasonHeader)}, nil
		}})
	}
	w.node("without")
	nc := w.connect()
	seen := map[string]bool{}
	for i := range 64 {
		var got Name
		if err := Request(within(t, patience), nc, "shop", Get, []byte("q"), nats.Header{ReasonHeader: {"why"}}, &got); err != nil {
			t.Fatal(err)
		}
		if got.Name != "qwhy" {
			t.Fatalf("%d: %+v", i, got)
		}
		seen[got.Kind] = true
	}
	if asked.Load() != 64 || len(seen) != 2 {
		t.Errorf("64 questions were answered %d times, by %v", asked.Load(), seen)
	}
	if err := Request(within(t, patience), nc, "shop", Apply, nil, nil, &Name{}); !errors.Is(err, ErrNoNode) {
		t.Errorf("nobody answers that: %v", err)
	}
	if err := Request(within(t, patience), nc, "other", Get, nil, nil, &Name{}); !errors.Is(err, ErrNoNode) {
		t.Errorf("another fleet: %v", err)
	}
}

func TestARefusalComesWithAllThatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	want := &Refusal{Problem: Problem{Text: "a: is\nwrong", Field: "a", Line: 3, Document: 2}, Code: 422, Problems: []Problem{{Text: "x"}, {Text: "y", Line: 9}}}
	w.node("one",
		Endpoint{What: Apply, Answer: func(context.Context, Question) (any, error) { return nil, fmt.Errorf("wrapped: %w", want) }},
		Endpoint{What: Get, Answer: func(context.Context, Question) (any, error) { return nil, errors.New("broken") }},
		Endpoint{What: List, Answer: func(_ context.Context, q Question) (any, error) { return strings.Repeat("x", q.MaxAnswer), nil }},
		Endpoint{What: Diff, Answer: func(_ context.Context, q Question) (any, error) { return strings.Repeat("x", q.MaxAnswer-2), nil }},
		Endpoint{What: Kinds, Answer: func(context.Context, Question) (any, error) { return func() {}, nil }},
	)
	nc := w.connect()
	var got *Refusal
	if err := Request(within(t, patience), nc, "shop", Apply, nil, nil, nil); !errors.As(err, &got) {
		t.Fatal(err)
	}
	if got.Text != want.Text || got.Field != "a" || got.Line != 3 || got.Document != 2 || got.Code != 422 || len(got.Problems) != 2 || got.Problems[1].Line != 9 || got.Node != "one" {
		t.Errorf("%+v", got)
	}
	for what, code := range map[string]int{Get: 500, List: 413, Kinds: 500} {
		if err := Request(within(t, patience), nc, "shop", what, nil, nil, nil); !errors.As(err, &got) || got.Code != code || got.Text == "" {
			t.Errorf("%s: %v, want %d", what, err, code)
		}
	}
	var text string
	if err := Request(within(t, patience), nc, "shop", Diff, nil, nil, &text); err != nil || len(text) < 900_000 {
		t.Errorf("the largest answer there may be: %d bytes, %v", len(text), err)
	}
	if err := Request(within(t, patience), nc, "shop", Apply, make([]byte, 2<<20), nil, nil); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("a question larger than a message: %v", err)
	}
}

func TestWhatIsTooMuchIsRefusedAtOnceAndTheRestIsAnswered(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	begin, end := make(chan struct{}, 1000), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(end) })
	defer letGo()
	var running, most atomic.Int64
	w.node("one", Endpoint{What: Apply, Answer: func(context.Context, Question) (any, error) {
		now := running.Add(1)
		defer running.Add(-1)
		for {
			if was := most.Load(); now <= was || most.CompareAndSwap(was, now) {
				break
			}
		}
		begin <- struct{}{}
		<-end
		return true, nil
	}})
	nc := w.connect()
	results := make(chan error, maxAdmitted+40)
	ctx := within(t, 2*patience)
	for range cap(results) {
		go func() { results <- Request(ctx, nc, "shop", Apply, nil, nil, new(bool)) }()
	}
	refused := 0
	for range 40 { // while the others wait
		var no *Refusal
		if err := <-results; !errors.As(err, &no) || no.Code != http.StatusServiceUnavailable || !no.Retry {
			t.Fatalf("%v", err)
		}
		refused++
	}
	letGo()
	for range maxAdmitted {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if len(begin) != maxAdmitted || most.Load() != maxRunning {
		t.Errorf("%d were worked at, %d at a time", len(begin), most.Load())
	}
}

func TestANodeThatEndsAnswersWhatItHasBegunAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	begun, end := make(chan struct{}), make(chan struct{})
	w.node("one",
		Endpoint{What: Apply, Answer: func(context.Context, Question) (any, error) {
			close(begun)
			<-end
			return "done", nil
		}},
		Endpoint{What: Delete, Answer: func(ctx context.Context, _ Question) (any, error) {
			<-ctx.Done() // hangs until it is told to end
			return nil, ctx.Err()
		}},
	)
	nc := w.connect()
	type said struct {
		text string
		err  error
	}
	applied, deleted, stopped := make(chan said, 1), make(chan said, 1), make(chan error, 1)
	ctx := within(t, patience)
	ask := func(what string, to chan said) {
		var s said
		s.err = Request(ctx, nc, "shop", what, nil, nil, &s.text)
		to <- s
	}
	go ask(Apply, applied)
	<-begun
	go func() { stopped <- w.stop["one"]() }()
	select {
	case err := <-stopped:
		t.Errorf("it has ended while a question was worked at: %v", err)
		stopped <- err
	case <-time.After(50 * time.Millisecond):
	}
	close(end)
	if s := <-applied; s.err != nil || s.text != "done" {
		t.Errorf("%+v", s)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	var no *Refusal
	ask(Delete, deleted)
	if s := <-deleted; !errors.Is(s.err, ErrNoNode) && (!errors.As(s.err, &no) || !no.Retry) {
		t.Errorf("asked afterwards: %+v", s)
	}
}

func TestWhatHangsIsToldToEndWithTheNode(t *testing.T) {
	t.Parallel()
	d := newDesk()
	if d.admit() != nil {
		t.Fatal("refused")
	}
	life, cancel := context.WithCancel(t.Context())
	go func() {
		<-life.Done()
		d.leave()
	}()
	d.close(cancel)
	if no := d.admit(); no == nil || !no.Retry {
		t.Errorf("after the end: %v", no)
	}
}
