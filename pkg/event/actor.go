package event

import (
	"context"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Actor types that say how an actor is known, by the CloudEvents extension for auth context. Every other type is the word of the
// program that made the change, which vouches for it.
const (
	// ActorClaimed is the type of an actor that its caller named and nobody checked ([WithClaim]).
	ActorClaimed = "unauthenticated"
	// ActorToken is the type of an actor that is the name of the token its caller had to send.
	ActorToken = "api_key"
)

// AttributeClaim is who the caller says it is where ActorType and ActorID name another: somebody behind a token that several share,
// or who has a replayed event said again. Readers that do not know it pass it over.
const AttributeClaim = "letheclaim"

// maxActor is how long a name may be that a caller gives itself, in bytes.
const maxActor = 256

// Actor is who made a change. It is worth as much as the right to publish: whoever may write to the log may write any name into it.
type Actor struct {
	Type  string `json:"type,omitempty"`
	ID    string `json:"id,omitempty"`
	Claim string `json:"claim,omitempty"` // who an actor that is known says it acts for; see [AttributeClaim]
}

// Actor is who made the change that e is about.
func (e Event) Actor() Actor { return Actor{e.ActorType, e.ActorID, e.Extensions[AttributeClaim]} }

// Claimed says that nobody vouches for the actor: it is what a caller said.
func (a Actor) Claimed() bool { return a.Type == "" || a.Type == ActorClaimed || a.Type == "unknown" }

// String is the actor for people, and in parentheses how it is known: "ada@host (claimed)", "ci (authenticated)",
// "ci (authenticated) for ada@host (claimed)", or the type that a program gave it, "ada (user)". Nobody is "".
func (a Actor) String() string {
	if a.Type+a.ID == "" {
		a = Actor{ID: a.Claim}
	}
	known := a.Type
	switch {
	case a.ID == "" && a.Claimed():
		return ""
	case a.Claimed():
		known = "claimed"
	case a.Type == ActorToken:
		known = "authenticated"
	}
	text := strings.TrimSpace(a.ID + " (" + known + ")")
	if a.Claim != "" {
		text += " for " + a.Claim + " (claimed)"
	}
	return text
}

// CheckActor refuses a name that a caller can't give itself: it is 1 to 256 bytes of UTF-8, of characters that can be seen and inner
// spaces, without parentheses and what looks like them, which say how an actor is known.
func CheckActor(field, who string) error {
	switch {
	case who == "":
		return invalid(field, "is empty: name somebody, like ada@host")
	case len(who) > maxActor:
		return invalid(field, "%q has %d bytes, at most %d are allowed", clip(who), len(who), maxActor)
	case !utf8.ValidString(who), strings.ContainsFunc(who, misleads):
		return invalid(field, "%q: use UTF-8 of characters that can be seen, without parentheses, like ada@host", clip(who))
	case strings.TrimSpace(who) != who:
		return invalid(field, "%q begins or ends with a space", clip(who))
	}
	return nil
}

// misleads says whether a character can't be seen, or looks like a parenthesis: any bracket but [ ] { } and < >, in whatever script, and the
// digits and letters that stand in parentheses of their own, like U+249C. Fillers are letters to Unicode, and empty to the eye.
func misleads(r rune) bool {
	switch {
	case r == '[' || r == ']' || r == '{' || r == '}':
		return false
	case !unicode.IsPrint(r), unicode.In(r, unicode.Ps, unicode.Pe, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return true
	case r >= 0x239b && r <= 0x23b1: // pieces of large parentheses and brackets
		return true
	case r == 0x2800: // an empty pattern of braille
		return true
	}
	return r >= 0x2474 && r <= 0x2487 || r >= 0x249c && r <= 0x24b5 || r >= 0x3200 && r <= 0x3243 || r >= 0x1f110 && r <= 0x1f12a || r >= 0x1f240 && r <= 0x1f248
}

// WithActor says who makes the changes announced with ctx, e.g. "user" and a login; receivers see it, and it travels in
// the clear (authtype and authid of the event). The program vouches for it; for what a caller only says there is [WithClaim].
func WithActor(ctx context.Context, typ, id string) context.Context {
	return context.WithValue(ctx, actorKey{}, Actor{Type: typ, ID: id})
}

// WithClaim says who the caller of a program says it is, unchecked. It is the actor, marked as claimed, where ctx has none; beside
// one that is known it is a claim ([AttributeClaim]) and replaces nothing. [CheckActor] says what a caller may call itself.
func WithClaim(ctx context.Context, who string) context.Context {
	a := actorIn(ctx)
	if a.Claimed() {
		a = Actor{Type: ActorClaimed, ID: who}
	} else {
		a.Claim = who
	}
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom is what WithActor or WithClaim put there, else empty.
func ActorFrom(ctx context.Context) (typ, id string) {
	a := actorIn(ctx)
	return a.Type, a.ID
}

// ClaimFrom is what WithClaim put beside an actor that is known, else empty.
func ClaimFrom(ctx context.Context) string { return actorIn(ctx).Claim }

// Acted is e with the actor of ctx, where e has none of its own.
func Acted(ctx context.Context, e Event) Event {
	if e.ActorType+e.ActorID != "" {
		return e
	}
	a := actorIn(ctx)
	e.ActorType, e.ActorID = a.Type, a.ID
	if a.Claim != "" && e.Extensions[AttributeClaim] == "" {
		all := maps.Clone(e.Extensions) // the caller's map stays as it is
		if all == nil {
			all = map[string]string{}
		}
		all[AttributeClaim] = a.Claim
		e.Extensions = all
	}
	return e
}

func actorIn(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// passOn is an actor as the consequences of its event name it. Of a stranger's, what can't be written is left out.
func (a Actor) passOn(ctx context.Context) context.Context {
	legal := func(s string) bool { return s == "" || legalText(s) }
	if a.Type+a.ID == "" || !legal(a.Type) || !legal(a.ID) {
		return ctx
	}
	if !legalText(a.Claim) || len(a.Claim) > maxActor {
		a.Claim = ""
	}
	return context.WithValue(ctx, actorKey{}, a)
}
