package event

import (
	"encoding/json"
	"errors"
	"strings"
)

// Target is one thing to forget: a small value, comparable with ==, safe for concurrent use. One that could not be built
// (illegal name, argument JSON can't express) carries its error; whatever publishes it returns that error and publishes
// nothing. The zero Target is such a one.
type Target struct {
	name   string // function, tag or prefix
	key    string // of a key: its canonical text, or its hash
	err    *Error
	class  class
	hashed bool
	soft   bool
	shape  shape // of a hashed key
}

// class is Scope in one byte, so that a Target stays small.
type class uint8

const (
	classNone class = iota
	classKey
	classFunction
	classTag
	classPrefix
	classAll
)

// Scope is what kind of thing a Target is; also the label of invalidations_applied_total.
type Scope string

// Scopes of targets. A target with an error, and the zero Target, have the empty one.
const (
	ScopeKey      Scope = "key"
	ScopeFunction Scope = "function"
	ScopeTag      Scope = "tag"
	ScopePrefix   Scope = "prefix"
	ScopeAll      Scope = "all"
)

// Key is what function remembers for args, in order. Prefer Name.Key or Func.Target, which the compiler checks.
func Key(function string, args ...any) Target {
	canonical, err := canonicalKey(args)
	if err != nil {
		return failed(err)
	}
	return FromCanonical(function, canonical)
}

// FromCanonical is the key target of a text that is canonical already, as CanonicalKey made it; it is not read again. One of more than
// MaxKey bytes has an error.
func FromCanonical(function, canonical string) Target {
	if err := CheckFunction(function); err != nil {
		return failed(err)
	}
	if len(canonical) > MaxKey {
		return Target{err: tooLong("a key of "+function, len(canonical))}
	}
	return Target{class: classKey, name: function, key: canonical}
}

// Function is everything function remembers.
func Function(function string) Target {
	if err := CheckFunction(function); err != nil {
		return failed(err)
	}
	return Target{class: classFunction, name: function}
}

// Tag is every entry that carries tag, and no other: user:42 is not user:42/orders.
func Tag(tag string) Target {
	if err := CheckTag(tag); err != nil {
		return failed(err)
	}
	return Target{class: classTag, name: tag}
}

// TagPrefix is every entry with a tag under prefix, which ends in ':' or '/'. The prefix user:42/ covers the tag user:42 too.
func TagPrefix(prefix string) Target {
	if err := CheckPrefix(prefix); err != nil {
		return failed(err)
	}
	return Target{class: classPrefix, name: prefix}
}

// All is everything.
func All() Target { return Target{class: classAll} }

func failed(err error) Target {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Field: "target", Problem: "can't be built", Err: err}
	}
	return Target{err: e}
}

// Soft is t as a soft invalidation: what is remembered counts as expired, and may still be served stale where that was
// allowed by WithStale.
func (t Target) Soft() Target {
	t.soft = true
	return t
}

// Hashed is t with the hash of its key instead of the key, for functions registered WithHashedKeys; Func.Target does it by
// itself. Targets that are no keys stay as they are.
func (t Target) Hashed() Target {
	if t.class == classKey && !t.hashed {
		t.shape = shapeOf(t.key)
		t.key, t.hashed = HashKey(t.key), true
	}
	return t
}

// Renamed is t of another function: a key of the same arguments, or all of it. Of what is no function's, it is t itself.
func (t Target) Renamed(function string) Target {
	if t.class != classKey && t.class != classFunction {
		return t
	}
	if err := CheckFunction(function); err != nil {
		return failed(err)
	}
	t.name = function
	return t
}

// Err is why t could not be built, wrapping ErrInvalid, or nil.
func (t Target) Err() error {
	switch {
	case t.err != nil:
		return t.err
	case t.class == classNone:
		return invalid("target", "is empty; use event.Key, Function, Tag, TagPrefix or All")
	}
	return nil
}

// Scope is what kind of thing t is; empty when it has an error.
func (t Target) Scope() Scope {
	switch t.class {
	case classKey:
		return ScopeKey
	case classFunction:
		return ScopeFunction
	case classTag:
		return ScopeTag
	case classPrefix:
		return ScopePrefix
	case classAll:
		return ScopeAll
	default:
		return ""
	}
}

// Name is the function, tag or prefix; empty for All.
func (t Target) Name() string { return t.name }

// Args is the canonical JSON array of a key's arguments; nil when it is hashed, and for what is no key.
func (t Target) Args() json.RawMessage {
	if t.class != classKey || t.hashed {
		return nil
	}
	return json.RawMessage(t.key)
}

// Canonical is Args as text, without a copy.
func (t Target) Canonical() string {
	if t.class != classKey || t.hashed {
		return ""
	}
	return t.key
}

// ArgsHash is the hash of a hashed key's canonical text (see HashKey); empty when t is not hashed.
func (t Target) ArgsHash() string {
	if !t.hashed {
		return ""
	}
	return t.key
}

// IsSoft says whether Soft was called.
func (t Target) IsSoft() bool { return t.soft }

// String is for people: catalog.price["sku-42"], catalog.price#HASH, catalog.price, tag/user:42, prefix/user:, or * for
// everything; a soft one has ~ in front.
func (t Target) String() string {
	var b strings.Builder
	if t.soft {
		b.WriteByte('~')
	}
	switch t.class {
	case classKey:
		b.WriteString(t.name)
		if t.hashed {
			b.WriteByte('#')
		}
		b.WriteString(t.key)
	case classFunction:
		b.WriteString(t.name)
	case classTag:
		b.WriteString("tag/" + t.name)
	case classPrefix:
		b.WriteString("prefix/" + t.name)
	case classAll:
		b.WriteByte('*')
	default:
		return "!(" + t.Err().Error() + ")"
	}
	return b.String()
}

// family is that of a tag or prefix.
func (t Target) family() string {
	family, _, _ := strings.Cut(t.name, ":")
	return family
}
