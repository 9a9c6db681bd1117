package event

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzHeaderValue: what is written is plain ASCII without a space, a quote or a line break, and reads back as it was; whatever
// another maker has written is read as UTF-8.
func FuzzHeaderValue(f *testing.F) {
	for _, s := range []string{"", "plain", "ü %41\r\n\"", `"quoted \" one"`, "%", "%4", "%e2%82", "\xff", "a b", `\"`, `""`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if read := unescapeHeader(s); !utf8.ValidString(read) {
			t.Fatalf("%q is read as %q, which is not UTF-8", s, read)
		}
		if !utf8.ValidString(s) {
			return
		}
		written := escapeHeader(s)
		if strings.ContainsFunc(written, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' }) {
			t.Errorf("%q is written %q", s, written)
		}
		if read := unescapeHeader(written); read != s {
			t.Errorf("%q is written %q and read %q", s, written, read)
		}
	})
}

// FuzzSubject: a subject allows its widest target and nothing beyond, whatever its name; what may be said there is published
// there.
func FuzzSubject(f *testing.F) {
	for _, s := range []string{
		"fn.catalog.price", "fn.9", "fn.a..b", "fn.", "tag.user", "tag.user.x", "tag.User", "all", "all.x", "_sys.tick", "_sys", "manifest.chatbot.applied",
		"manifest.a-b.applied", "manifest.user", "", ".", "later.form", "fn.catalog.*", "fn.catalog.>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		p := placeOf(rest)
		for _, w := range p.widest() {
			if w.Err() != nil || !p.allows(w) {
				t.Errorf("%q: its widest is %v (%v)", rest, w, w.Err())
			}
			if subject, ok := strings.CutPrefix(w.Subject(), "manifest."); p.kind == placeFunction && (ok || subject != rest) {
				t.Errorf("%q: %v is published on %q", rest, w, w.Subject())
			}
		}
		if p.kind == placeFunction && CheckFunction(p.name) != nil || p.kind == placeFamily && CheckTag(p.name+":x") != nil {
			t.Errorf("%q: %q is no legal name", rest, p.name)
		}
		for _, other := range []Target{All(), Function("f.other"), Tag("other:1"), TagPrefix("other:")} {
			named := p.name == "f.other" || p.name == "other"
			if p.allows(other) && !named && p.kind != placeUnknown && (p.kind != placeAll || other != All()) {
				t.Errorf("%q may say %v", rest, other)
			}
		}
		if r := Decode("shop", logRoot+"shop."+rest, nil, nil); p.kind == placeNone && len(r.Targets) > 0 {
			t.Errorf("%q concerns nobody, and forgets %v", rest, r.Targets)
		}
	})
}

// FuzzName: a legal name makes a target that can be published on a subject of its own, and read again; an illegal one is refused
// everywhere alike.
func FuzzName(f *testing.F) {
	for _, s := range []string{"catalog.price", "a..b", "9", "user:42", "user:42/orders/", "user:", "user:*", "u:ü\x00", strings.Repeat("x", 129), "K:x", "all"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range []struct {
			target Target
			err    error
		}{{Function(s), CheckFunction(s)}, {Tag(s), CheckTag(s)}, {TagPrefix(s), CheckPrefix(s)}} {
			if (c.target.Err() != nil) != (c.err != nil) {
				t.Fatalf("%q: %v, and %v", s, c.target.Err(), c.err)
			}
			if c.err != nil {
				continue
			}
			if subject := c.target.Subject(); strings.ContainsAny(subject, " *>\t\r\n") || len(logRoot)+len(subject) > 256 || !placeOf(subject).allows(c.target) {
				t.Errorf("%v is published on %q", c.target, subject)
			}
			wire, err := c.target.MarshalJSON()
			var again Target
			if err != nil || again.UnmarshalJSON(wire) != nil || again != c.target {
				t.Errorf("%s is %v again (%v)", wire, again, err)
			}
		}
	})
}
