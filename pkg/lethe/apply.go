package lethe

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// handler is the Node as its bus sees it. Its methods are called from one goroutine at a time.
type handler Node

// Apply forgets what an event says, on arrival and in any order, and hands it to the receivers.
func (h *handler) Apply(d *bus.Delivery) {
	n := (*Node)(h)
	if !d.Echo {
		shapes := n.forget(touch{id: d.ID, source: d.Source, typ: d.Type, at: d.Time, token: d.Token, reason: d.Reason}, d.Targets)
		n.widened(shapes, d.Source, d.ID, d.Subject)
	}
	n.metrics.count(d.Targets)
	if !d.Time.IsZero() && d.Live {
		n.metrics.propagation.Observe(max(time.Since(d.Time), 0).Seconds())
	}
	n.audit(d)
	n.link(d)
	n.receivers.arrived(d)
}

// widened counts targets whose arguments can't be their function's, so that it was forgotten as a whole.
func (n *Node) widened(targets int, source, id, subject string) {
	if targets == 0 {
		return
	}
	n.metrics.widenedShape.Add(uint64(targets))
	n.warn("shape:"+source, "lethe: an event's arguments can't be the function's; the whole function was forgotten",
		"source", source, "id", id, "subject", subject)
}

// link leaves a span that points to the trace of the write.
func (n *Node) link(d *bus.Delivery) {
	parent := d.Extensions["traceparent"]
	if parent == "" {
		return
	}
	carrier := propagation.MapCarrier{"traceparent": parent, "tracestate": d.Extensions["tracestate"]}
	sc := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	at := time.Now()
	n.spans.Do(func() {
		_, span := n.tracer.Start(context.Background(), "lethe apply", trace.WithTimestamp(at),
			trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(trace.Link{SpanContext: sc}))
		span.End(trace.WithTimestamp(at))
	})
}

// Bounds of spans of applied events: those that wait for the tracer, beyond which they are dropped, and how long Close waits for them.
const (
	spansMost = 1024
	spansFor  = time.Second
)

// FenceAll forgets everything, hard: a Reset.
func (h *handler) FenceAll() {
	n := (*Node)(h)
	n.surge.reset(n.now())
	n.forget(touch{typ: event.TypeReset, source: n.source}, []event.Target{event.All()})
}

// Passed tells that the cursor has passed everything up to the sequence.
func (h *handler) Passed(sequence uint64) { (*Node)(h).receivers.passed(sequence) }

// ResetDone tells the receivers that continuity was lost; Passed says where it begins anew.
func (h *handler) ResetDone(cause string) {
	n := (*Node)(h)
	n.receivers.reset(n.local(event.TypeReset, cause))
	n.receivers.doubt(cause)
}

// local makes an event that never travels.
func (n *Node) local(typ, reason string) event.Event {
	return event.Event{ID: event.NewID(), Source: n.source, Type: typ, Time: time.Now(), Targets: []event.Target{event.All()}, Reason: reason}
}

// Lease sets until when the node may serve what it has. One that is taken away leaves nothing that ServeStale could be counted
// from: either everything was forgotten, or the clock can't be trusted (the machine slept), or nobody knows of this node.
func (h *handler) Lease(end int64) {
	n := (*Node)(h)
	if end != 0 {
		n.surge.leased(n.now())
	}
	n.lease.Store(end)
}

// warn logs at most once per key and minute, and at most 1,000 keys a minute.
func (n *Node) warn(key, msg string, args ...any) {
	if n.metrics.logged.allow(key, n.now()) {
		n.log.Warn(msg, args...) //nolint:sloglint // the callers' messages are literals
	}
}

// illegalTags counts tags that nothing could ever invalidate, and logs the first; what they stood for is not stored.
func (n *Node) illegalTags(function string, count int, first string) {
	if count == 0 {
		return
	}
	n.metrics.illegalTags.Add(uint64(count))
	n.warn("tag:"+function, "lethe: an illegal tag, the value is not stored", "function", function, "tag", first, "error", event.CheckTag(first))
}
