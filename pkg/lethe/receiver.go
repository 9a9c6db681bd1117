package lethe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/lethe-cache/lethe/pkg/event"
)

// ReceiveOption of a receiver.
type ReceiveOption interface{ applyReceive(*receiver) }

type receiveOption func(*receiver)

func (f receiveOption) applyReceive(r *receiver) { f(r) }

// ForTypes passes events of these types only: event.TypeInvalidated and the TypeManifest… constants.
func ForTypes(types ...string) ReceiveOption {
	return receiveOption(func(r *receiver) { r.filter("ForTypes", &r.types, types) })
}

// ForFunctions takes names and prefixes ending in ".>": "catalog.price", "catalog.>". An event passes that names one of them, or
// everything. With ForTags or ForKinds beside it, an event passes that passes one of them.
func ForFunctions(patterns ...string) ReceiveOption {
	return receiveOption(func(r *receiver) { r.filter("ForFunctions", &r.functions, patterns) })
}

// ForTags passes events that name a tag or a prefix of one of these families, or everything. A family is what stands before the
// colon: "user", not "user:42"; which tag it is the event's Targets say.
func ForTags(families ...string) ReceiveOption {
	return receiveOption(func(r *receiver) { r.filter("ForTags", &r.families, families) })
}

// ForKinds passes events about manifests of these kinds, and events that name tags of the kinds' families, or everything. The latter
// say that an object is stale because something it refers to has changed, or because it was invalidated by hand; they have no
// Manifest. A kind is written as it is registered: "Chatbot".
func ForKinds(kinds ...string) ReceiveOption {
	return receiveOption(func(r *receiver) { r.filter("ForKinds", &r.kinds, kinds) })
}

// WithQueue is how many events wait for the receiver before it counts as lagging; 1,024. OncePerFleet they wait in the stream.
func WithQueue(n int) ReceiveOption {
	return receiveOption(func(r *receiver) {
		if r.capacity = n; n < 1 {
			r.err = errors.New("WithQueue: the queue must hold at least 1 event")
		}
	})
}

// WithRetry calls the receiver up to tries times for an event, waiting backoff, then twice that, and so on, at most 30 s. Default
// is one try: an error is counted and logged. OncePerFleet the default is 8 tries from 1 s on, whichever node makes them, and then
// the event becomes a dead letter.
func WithRetry(tries int, backoff time.Duration) ReceiveOption {
	return receiveOption(func(r *receiver) {
		if r.tries, r.backoff = tries, backoff; tries < 1 || backoff < 0 {
			r.err = errors.New("WithRetry: at least 1 try, and no negative backoff")
		}
	})
}

// Results of a call, and that there was none because the event is a consequence of this receiver's own.
const (
	runOK = iota
	runError
	runPanic
	runSpared
)

//nolint:gochecknoglobals // a constant table
var runResults = [...]string{"ok", "error", "panic", "spared"}

const (
	receiveTimeout = 30 * time.Second
	maxBackoff     = 30 * time.Second
)

// Receive runs fn on this node after each applied event that passes the filters, from now on, in the order of the stream, in its
// own bounded queue. A filter that nothing could ever pass is an error. A panic of fn is an error of that event; each call has 30 s. A duplicate name is an error. Events of TypeReset
// and TypeLagged pass every filter and name All(), so a receiver that only looks at Targets does the safe thing. An event that the
// stream has twice under one id is received once. See OncePerFleet for a receiver that runs on one node of the fleet.
func (n *Node) Receive(name string, fn func(context.Context, event.Event) error, opts ...ReceiveOption) error {
	if n.cfg.PublishOnly {
		panic("lethe: receive " + name + ": the node is PublishOnly: it hears nothing")
	}
	r := &receiver{name: name, fn: fn, n: n, capacity: 1024, wake: make(chan struct{}, 1)}
	switch {
	case name == "" || len(name) > 128 || !utf8.ValidString(name):
		r.err = errors.New("a name is 1 to 128 bytes of UTF-8: it labels metrics")
	case fn == nil:
		r.err = errors.New("nil function")
	}
	for _, o := range opts {
		if o != nil {
			o.applyReceive(r)
		}
	}
	if r.err == nil {
		r.err = r.checkFilters()
	}
	if r.err == nil && r.shared {
		r.err = r.prepareOnce()
	}
	if r.err != nil {
		return &Error{Op: "receive", Name: name, Err: r.err}
	}
	r.tries = max(r.tries, 1)
	return n.receivers.add(r)
}

// receiver is one function and its queue.
type receiver struct {
	name                              string
	fn                                func(context.Context, event.Event) error
	n                                 *Node
	types, functions, families, kinds []string
	capacity, tries                   int // tries: 0 = not said
	backoff                           time.Duration
	err                               error
	wrong                             []error // of the filters
	wake                              chan struct{}
	runs                              [4]atomic.Uint64 // by result, as runResults has them
	shared                            bool             // once per fleet
	once                              once             // of that

	mu     sync.Mutex // guards what follows
	queue  []event.Event
	lagged bool // events were dropped and the receiver has not been told yet
}

// offer queues e, or notes that the receiver lags; it never blocks. Until the receiver has been told, everything is dropped: what
// it will be told covers it.
func (r *receiver) offer(e event.Event) {
	r.mu.Lock()
	if r.lagged || len(r.queue) >= r.capacity {
		r.lagged = true
	} else {
		r.queue = append(r.queue, e)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// fallBehind notes that the receiver has missed something.
func (r *receiver) fallBehind() {
	r.mu.Lock()
	r.lagged = true
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *receiver) next() (event.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) > 0 {
		e := r.queue[0]
		r.queue = r.queue[1:]
		return e, true
	}
	if r.lagged {
		r.lagged = false
		return r.n.local(event.TypeLagged, "receiver "+r.name+" fell behind"), true
	}
	r.queue = nil
	return event.Event{}, false
}

func (r *receiver) lag() int {
	if r.shared {
		return int(r.once.durable.Lag())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue)
}

// work runs until the node is closed.
func (r *receiver) work() {
	for {
		for e, ok := r.next(); ok && r.n.stop.Err() == nil; e, ok = r.next() {
			r.run(e)
		}
		select {
		case <-r.wake:
		case <-r.n.stop.Done():
			return
		}
	}
}

func (r *receiver) run(e event.Event) {
	wait := r.backoff
	for try := 1; ; try++ {
		err := r.call(e)
		if err == nil {
			r.runs[runOK].Add(1)
			return
		}
		if try >= r.tries || r.n.stop.Err() != nil {
			r.n.log.Error("lethe: a receiver failed", "receiver", r.name, "event", e.ID, "type", e.Type, "tries", try, "error", err)
			return
		}
		select {
		case <-time.After(wait):
		case <-r.n.stop.Done():
			return
		}
		wait = min(2*wait, maxBackoff)
	}
}

func (r *receiver) call(e event.Event) error {
	ctx := &loadContext{values: r.account(e), deadline: time.Now().Add(r.n.times.call)}
	defer ctx.end()
	panicked := true
	err := r.n.guard("receiver", r.name, func() error {
		err := r.fn(ctx, e)
		panicked = false
		return err
	})
	switch {
	case panicked:
		r.runs[runPanic].Add(1)
	case err != nil:
		r.runs[runError].Add(1)
	}
	return err
}

// account is a context in which what is published is a consequence of e.
func (r *receiver) account(e event.Event) context.Context {
	ctx := event.WithCause(r.n.stop, e, r.name)
	if _, chain := event.CauseFrom(ctx); chain == "*" {
		r.n.warn("chain:"+r.name, "lethe: receivers call each other in too long a chain: no receiver is called for what this call publishes",
			"receiver", r.name, "event", e.ID, "chain", e.Receivers())
	}
	return ctx
}

// spared counts an event that this receiver is not called for, because it is a consequence of its own call.
func (r *receiver) spared(e *event.Event) bool {
	if !e.Spares(r.name) {
		return false
	}
	r.runs[runSpared].Add(1)
	return true
}

// passes reports whether e is for this receiver.
func (r *receiver) passes(e *event.Event) bool {
	if e.Type == event.TypeReset || e.Type == event.TypeLagged {
		return true
	}
	if len(r.types) > 0 && !slices.Contains(r.types, e.Type) {
		return false
	}
	if len(r.functions)+len(r.families)+len(r.kinds) == 0 {
		return true
	}
	if e.Manifest != nil && slices.ContainsFunc(r.kinds, func(k string) bool { return strings.EqualFold(k, e.Manifest.Kind) }) {
		return true
	}
	for _, t := range e.Targets {
		switch t.Scope() {
		case event.ScopeAll:
			return true
		case event.ScopeTag, event.ScopePrefix:
			family, _, _ := strings.Cut(t.Name(), ":")
			if slices.Contains(r.families, family) || slices.ContainsFunc(r.kinds, func(k string) bool { return strings.EqualFold(k, family) }) {
				return true
			}
		default:
			for _, p := range r.functions {
				if prefix, wild := strings.CutSuffix(p, ">"); p == t.Name() || wild && strings.HasPrefix(t.Name(), prefix) {
					return true
				}
			}
		}
	}
	return false
}
