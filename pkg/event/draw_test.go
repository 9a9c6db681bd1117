package event_test

import (
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
)

// What the property tests draw: legal things, near the edges.

func drawFunction(t *rapid.T) string {
	return rapid.OneOf(rapid.SampledFrom([]string{"f", "catalog.price", "catalog.page", "A.b-c.d_9"}),
		rapid.StringMatching(`[A-Za-z][A-Za-z0-9_-]{0,20}(\.[A-Za-z][A-Za-z0-9_-]{0,10}){0,3}`)).Draw(t, "function")
}

func drawFamily(t *rapid.T) string {
	return rapid.OneOf(rapid.SampledFrom([]string{"user", "chatbot", "a"}), rapid.StringMatching(`[a-z][a-z0-9-]{0,20}`)).Draw(t, "family")
}

func drawPath(t *rapid.T) string {
	return rapid.OneOf(rapid.SampledFrom([]string{"42", "42/orders", "acme/helper", "a b", `"q"\`, "é/ü", "*", "//"}),
		rapid.StringMatching(`[ -~\x{a1}-\x{ff}]{1,30}`)).Draw(t, "path")
}

func drawTarget(t *rapid.T) event.Target {
	target := drawHard(t)
	if rapid.Bool().Draw(t, "soft") {
		return target.Soft()
	}
	return target
}

func drawHard(t *rapid.T) event.Target {
	var target event.Target
	switch rapid.IntRange(0, 5).Draw(t, "scope") {
	case 0:
		target = event.Key(drawFunction(t), drawJSON(t, "arg", 2))
	case 1:
		target = event.Key(drawFunction(t), drawText(t, "a"), drawText(t, "b")).Hashed()
	case 2:
		target = event.Function(drawFunction(t))
	case 3:
		target = event.Tag(drawFamily(t) + ":" + drawPath(t))
	case 4:
		target = event.TagPrefix(drawFamily(t) + ":" + rapid.SampledFrom([]string{"", drawPath(t) + "/"}).Draw(t, "below"))
	case 5:
		target = event.All()
	}
	if err := target.Err(); err != nil {
		t.Fatal(err)
	}
	return target
}

// drawEvent draws what Encode takes, complete, so that nothing is left to be filled.
func drawEvent(t *rapid.T) event.Event {
	e := event.Event{
		ID:         rapid.OneOf(rapid.Just(event.NewID()), rapid.StringMatching(`[!-~é ]{0,10}[!-~é][!-~é ]{0,10}`)).Draw(t, "id"),
		Source:     rapid.SampledFrom([]string{"/lethe/shop/n1", "https://example.com/a?b=c#d", "urn:x:y", "/a%20b"}).Draw(t, "source"),
		Type:       event.TypeInvalidated,
		Subject:    rapid.SampledFrom([]string{"", "ä b", "%41", `"quoted"`}).Draw(t, "subject"),
		Time:       time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC(),
		Reason:     rapid.SampledFrom([]string{"", "price list of November", "a\n\"b\" ü \uFFFD"}).Draw(t, "reason"),
		ActorType:  rapid.SampledFrom([]string{"", "user"}).Draw(t, "actor type"),
		ActorID:    rapid.SampledFrom([]string{"", "jörg@example.com", "100%"}).Draw(t, "actor id"),
		Extensions: rapid.SampledFrom([]map[string]string{nil, {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "causationid": "x y"}}).Draw(t, "extensions"),
	}
	first := drawTarget(t)
	if rapid.Bool().Draw(t, "manifest") {
		e.Manifest, e.Type = drawManifest(t)
		first = event.Tag(strings.ToLower(e.Manifest.Kind) + ":acme/helper")
	}
	e.Targets = []event.Target{first}
	for range rapid.IntRange(0, 4).Draw(t, "more") {
		more := drawTarget(t)
		if more.Subject() == first.Subject() {
			e.Targets = append(e.Targets, more)
		}
	}
	if e.Subject == "" && len(e.Targets) == 1 || e.Manifest != nil {
		e.Subject = "something" // else Encode fills it
	}
	return e
}

func drawManifest(t *rapid.T) (*event.Manifest, string) {
	m := &event.Manifest{
		APIVersion:      rapid.SampledFrom([]string{"", "example.dev/v1"}).Draw(t, "apiVersion"),
		Kind:            rapid.SampledFrom([]string{"Chatbot", "Kind", "A9"}).Draw(t, "kind"),
		Namespace:       "acme",
		Name:            rapid.SampledFrom([]string{"helper", "a.b-c"}).Draw(t, "name"),
		UID:             rapid.SampledFrom([]string{"", "b2f1"}).Draw(t, "uid"),
		Generation:      rapid.Int64Range(0, 1<<60).Draw(t, "generation"),
		ResourceVersion: rapid.SampledFrom([]string{"", "17"}).Draw(t, "rv"),
		Labels:          rapid.SampledFrom([]map[string]string{nil, {"team": "a", "ü\"": "\n"}}).Draw(t, "labels"),
	}
	var typ string
	m.Action = rapid.SampledFrom([]string{"created", "configured", "deleted", "invalidated"}).Draw(t, "action")
	switch m.Action {
	case "deleted":
		typ = event.TypeManifestDeleted
	case "invalidated":
		typ = event.TypeManifestInvalidated
	default:
		typ = event.TypeManifestApplied
	}
	return m, typ
}
