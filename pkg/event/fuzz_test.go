package event_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lethe-cache/lethe/pkg/event"
)

// FuzzDecode: whatever arrives, nothing panics, every target is one that the subject may say, what is not understood is
// widened, and what was received can be published again and means the same.
func FuzzDecode(f *testing.F) {
	const target = `{"targets":[{"function":"f","args":[1]},{"tag":"user:42"},{"tagPrefix":"user:4"},{"all":true}],"reason":"r"}`
	for _, subject := range []string{"fn.f", "tag.user", "all", "manifest.user.applied", "_sys.lost", "later", "fn.9", "tag.user.1"} {
		f.Add(subject, "ce-type", event.TypeInvalidated, "ce-specversion", "1.0", []byte(target))
		f.Add(subject, "CE-Type", event.TypeManifestApplied, "Ce-SpecVersion", "1%2e0", []byte(`{"kind":"User","name":"n","generation":3,"labels":{"a":"b"},`+target[1:]))
		f.Add(subject, "Content-Type", "application/cloudevents+json", "", "", []byte(`{"specversion":"1.0","type":"dev.lethe.invalidated.v1","source":"/cli","id":"1","data":`+target+`}`))
		f.Add(subject, "", "", "", "", []byte(`{"specversion":"1.0","type":"dev.lethe.tick.v1","data_base64":"e30="}`))
	}
	hashed := []byte(`{"targets":[{"function":"f","argsHash":"` + event.HashKey(`["a"]`) + `"},{"function":"f","args":["a"]}]}`)
	for _, shape := range []string{"2829d5b4", "mixed", "?"} {
		f.Add("fn.f", "ce-lethekeyshape", shape, "ce-specversion", "1.0", hashed)
		f.Add("fn.f", "Content-Type", "application/cloudevents+json", "", "", []byte(`{"specversion":"1.0","type":"dev.lethe.invalidated.v1","source":"/cli","id":"1",`+
			`"lethereceivers":"a,b%2C","lethekeyshape":"`+shape+`","data":`+string(hashed)+`}`))
	}
	for _, bad := range badTargets() {
		f.Add("tag.user", "ce-type", event.TypeInvalidated, "ce-specversion", "1.0", []byte(`{"targets":[`+bad.wire+`]}`))
	}
	f.Fuzz(func(t *testing.T, subject, key1, value1, key2, value2 string, data []byte) {
		header := map[string][]string{key1: {value1}, key2: {value2}}
		r := event.Decode("shop", root+subject, header, data)
		checkReceived(t, subject, r)
		if again := event.Decode("shop", root+subject, header, data); cmp.Diff(r, again, sameTargets, sameTokens) != "" {
			t.Fatalf("read twice: %+v and %+v", r, again)
		}
		if _, err := r.CloudEvent().MarshalJSON(); err != nil {
			t.Fatal(err)
		}
		e := r.Event
		if len(e.Targets) == 0 || e.Manifest != nil {
			return
		}
		caused := event.Event{Source: "/x", Targets: e.Targets}
		if next := event.Caused(event.WithCause(t.Context(), e, "r"), caused); !next.Spares("r") {
			t.Fatalf("%+v would call its receiver again", next)
		} else if _, err := event.Encode("shop", next); err != nil {
			t.Fatalf("a receiver can't publish for %+v: %v", e, err)
		}
		e.Source, e.ID, e.Subject, e.Reason, e.ActorID, e.ActorType, e.Extensions = "/x", "", "", "", "", "", nil
		m, err := event.Encode("shop", e)
		if strings.HasPrefix(subject, "manifest.") { // a plain invalidation goes on the subject of its tags
			subject = "tag." + strings.Split(subject, ".")[1]
		}
		if err != nil || (m.Subject != root+subject && e.Targets[0] != event.All()) {
			t.Fatalf("%+v can't be published again: %v", r, err)
		}
		if again := event.Decode("shop", m.Subject, m.Header, m.Data); cmp.Diff(r.Targets, again.Targets, sameTargets) != "" || again.Widened+again.Rejected != "" {
			t.Fatalf("%+v is not %+v", again, r)
		}
	})
}

// checkReceived states what law 11 and the payload rule promise of everything Decode returns.
func checkReceived(t *testing.T, subject string, r event.Received) {
	t.Helper()
	head, name, _ := strings.Cut(subject, ".")
	kind, _, _ := strings.Cut(name, ".")
	for _, target := range r.Targets {
		if target.Err() != nil {
			t.Fatalf("%s: %v", subject, target)
		}
		var ok bool
		switch {
		case head == "fn" && name != "":
			ok = target.Subject() == subject
		case head == "tag" && name != "":
			ok = target.Subject() == subject
		case head == "manifest" && name != "":
			ok = target.Subject() == "tag."+kind
		case head == "_sys":
			ok = false
		default:
			ok = target.Scope() == event.ScopeAll
		}
		if !ok {
			t.Fatalf("%s may not say %v", subject, target)
		}
	}
	legal := r.Rejected != event.RejectedName && r.Rejected != event.RejectedFleet && head != "_sys"
	switch {
	case legal && len(r.Targets) == 0 && r.Dropped == 0:
		t.Fatalf("%s: nothing is forgotten, and nothing dropped: %+v", subject, r)
	case r.Widened != "" && r.Widened != event.WidenedPrefix && len(r.Targets) != 1:
		t.Fatalf("%s: widened to %v", subject, r.Targets)
	case legal && r.Widened+r.Rejected != "" && r.Detail == "":
		t.Fatalf("%s: no detail of %+v", subject, r)
	case legal && (r.Manifest != nil) != strings.HasPrefix(r.Type, "dev.lethe.manifest."):
		t.Fatalf("%s: type %s with %+v", subject, r.Type, r.Manifest)
	case r.Sys != "" && (r.Sys != subject || r.Widened+r.Rejected != ""):
		t.Fatalf("%s: %+v", subject, r)
	}
}

func FuzzParseInvalidation(f *testing.F) {
	f.Add([]byte(`{"targets":[{"function":"f","args":[1]},{"tag":"user:42","soft":true}],"reason":"r"}`))
	for _, bad := range badTargets() {
		f.Add([]byte(`{"targets":[` + bad.wire + `]}`))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		targets, _, err := event.ParseInvalidation(data)
		if err != nil {
			if !errors.Is(err, event.ErrInvalid) || targets != nil {
				t.Fatalf("%v, %v", targets, err)
			}
			return
		}
		groups, err := event.Group(targets...)
		if err != nil || len(groups) == 0 {
			t.Fatalf("%v, %v", groups, err)
		}
	})
}
