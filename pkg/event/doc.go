// Package event says what has changed: names, targets, tokens, events. Pure, no I/O.
//
// A Target is one thing to forget: a key of a memoized function, a function, a tag, a prefix of tags, everything. A
// program that only writes shares the names of functions with those that read them:
//
//	const Price event.Name[string] = "catalog.price"
//
//	node.Invalidate(ctx, Price.Key("sku-42"), event.Tag("brand:acme"))
//
// Keys are canonical JSON (CanonicalKey), so that programs in any language name the same entry by the same bytes. Encode
// writes an Event strictly: what it lets through, every reader understands. Decode reads leniently: CloudEvents in binary
// or structured mode, headers in any letter case, and where it does not understand it forgets more, never less, and never
// more than the subject of the message allows. NATS permissions on subjects therefore mean something.
//
// Every refusal is an *Error that wraps ErrInvalid and names the field. Everything read is bounded: 64 KiB an event, 128
// levels of nesting, 16 extension attributes. All functions are safe for concurrent use; values are read-only once shared.
//
// What the package does not do: it neither publishes nor subscribes, and it does not check that a Go type keeps its values
// apart as JSON; lethe.Memoize does that where a type becomes a key.
package event
