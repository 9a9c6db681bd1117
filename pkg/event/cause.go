package event

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Attributes that tell what an event is the consequence of. Readers that do not know them pass them over.
const (
	// AttributeCausation is the id of the event that a receiver was called for when it published this one; of a replayed event
	// the id it had.
	AttributeCausation = "causationid"
	// AttributeReceivers names the receivers on whose account an event was published, in the order of their calls: each
	// percent-encoded, joined by commas; "*" where they are too many. A node does not call these receivers for it.
	AttributeReceivers = "lethereceivers"
)

// Bounds of AttributeReceivers, and of the id that becomes AttributeCausation. A chain that grows beyond them is "*".
const (
	maxChain      = 8
	maxChainBytes = 512
	maxCausation  = 512
	everyReceiver = "*"
)

type causeKey struct{}

type cause struct{ id, receivers string }

// WithCause says that what is announced with ctx is the consequence of e, for which receiver was called; a Node says so in the
// ctx of its receivers. What Invalidate, Publish and outbox.Append say with it carries e's id (AttributeCausation), the receivers
// called on the way (AttributeReceivers), and e's actor and reason where ctx gets no others. Of a stranger's event, what can't be
// written is left out, and of a reason what is over 1 KiB.
func WithCause(ctx context.Context, e Event, receiver string) context.Context {
	c := cause{receivers: appendReceiver(e.Extensions[AttributeReceivers], receiver)}
	if legalText(e.ID) && len(e.ID) <= maxCausation {
		c.id = e.ID
	}
	ctx = context.WithValue(ctx, causeKey{}, c)
	ctx = e.Actor().passOn(ctx)
	if reason := clipReason(e.Reason); reason != "" {
		ctx = WithReason(ctx, reason)
	}
	return ctx
}

// CauseFrom is what WithCause put there: the values of AttributeCausation and AttributeReceivers, else empty.
func CauseFrom(ctx context.Context) (id, receivers string) {
	c, _ := ctx.Value(causeKey{}).(cause)
	return c.id, c.receivers
}

// Caused is e with what ctx says of its cause, as an event that is published under its own id gets it: actor, reason and
// AttributeCausation where e has none, and the receivers of both. Without a cause in ctx it is e itself.
func Caused(ctx context.Context, e Event) Event {
	id, receivers := CauseFrom(ctx)
	if id+receivers == "" {
		return e
	}
	e = Acted(ctx, e)
	if e.Reason == "" {
		e.Reason = ReasonFrom(ctx)
	}
	all := make(map[string]string, len(e.Extensions)+2) // the caller's map stays as it is
	for name, value := range e.Extensions {
		all[name] = value
	}
	if all[AttributeCausation] == "" && id != "" {
		all[AttributeCausation] = id
	}
	if has := all[AttributeReceivers]; has == "" {
		all[AttributeReceivers] = receivers
	} else {
		all[AttributeReceivers] = joinReceivers(has, receivers)
	}
	e.Extensions = all
	return e
}

// Receivers are the names in AttributeReceivers, in the order of their calls; nil where there are none. The one name "*" stands for
// every receiver.
func (e Event) Receivers() []string {
	value := e.Extensions[AttributeReceivers]
	if value == "" {
		return nil
	}
	names := strings.Split(value, ",")
	for i, name := range names {
		if plain, err := url.PathUnescape(name); err == nil {
			names[i] = plain
		}
	}
	return names
}

// Spares says whether the receiver of this name is not called for e, because e is a consequence of its own call.
func (e Event) Spares(receiver string) bool {
	return e.Extensions[AttributeReceivers] == everyReceiver || slices.Contains(e.Receivers(), receiver)
}

// escapeReceiver writes a name so that neither a comma nor "*" is in it.
func escapeReceiver(name string) string { return strings.ReplaceAll(url.PathEscape(name), "*", "%2A") }

// appendReceiver adds a name to a chain.
func appendReceiver(chain, name string) string { return joinReceivers(chain, escapeReceiver(name)) }

// joinReceivers adds the names of more to a chain, each once. Beyond the bounds, and where the chain is illegible, it is every
// receiver: a chain that nobody can follow must not go on.
func joinReceivers(chain, more string) string {
	if chain == everyReceiver || more == everyReceiver || !plainText(chain) {
		return everyReceiver
	}
	var names []string
	if chain != "" {
		names = strings.Split(chain, ",")
	}
	for name := range strings.SplitSeq(more, ",") {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	chain = strings.Join(names, ",")
	if len(names) > maxChain || len(chain) > maxChainBytes {
		return everyReceiver
	}
	return chain
}

// legalText is what an attribute may be.
func legalText(s string) bool { return strings.TrimSpace(s) != "" && plainText(s) }

func clipReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) <= maxReason {
		return reason
	}
	end := maxReason
	for !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}
