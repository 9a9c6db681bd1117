package lethe_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// stuckTracer blocks in the span of an applied event, as one does that exports where it ends.
type stuckTracer struct {
	noop.TracerProvider
	begun, stop chan struct{}
}

func (s stuckTracer) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return stuckSpans{s.TracerProvider.Tracer(""), s}
}

type stuckSpans struct {
	trace.Tracer
	by stuckTracer
}

func (s stuckSpans) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if name == "lethe apply" {
		select {
		case s.by.begun <- struct{}{}:
		default:
		}
		<-s.by.stop
	}
	return s.Tracer.Start(ctx, name, opts...)
}

func TestATracerThatBlocksHoldsUpNoEvent(t *testing.T) {
	t.Parallel()
	other, nc := wire(t)
	tr := stuckTracer{begun: make(chan struct{}, 1), stop: make(chan struct{})}
	t.Cleanup(func() { close(tr.stop) })
	n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "shop", TracerProvider: tr}))
	if err := n.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	traced := event.Event{
		Source: "/shop/orders", Targets: []event.Target{event.Tag("a:1")},
		Extensions: map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
	}
	must[event.Token](t)(other.Publish(t.Context(), traced))
	select {
	case <-tr.begun:
	case <-time.After(time.Minute):
		t.Fatal("no span")
	}
	tok := must[event.Token](t)(other.Invalidate(t.Context(), event.Tag("a:2")))
	if err := n.Wait(within(t), tok); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- n.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Close waits for the tracer")
	}
}
