package event_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lethe-cache/lethe/pkg/event"
)

const root = "lethe.v1.log.shop."

// said is a binary event of a type with data.
func said(typ, data string) (map[string][]string, []byte) {
	return map[string][]string{
		"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/cli"}, "ce-type": {typ}, "ce-datacontenttype": {"application/json"},
	}, []byte(data)
}

func list(targets ...event.Target) []event.Target { return targets }

var sameTargets = cmp.Comparer(func(a, b event.Target) bool { return a == b })

func TestAPayloadMayOnlySayWhatItsSubjectAllows(t *testing.T) {
	t.Parallel()
	const everything = `{"targets":[{"function":"f.g","args":[1]},{"function":"f"},{"function":"f","args":["a"],"soft":true},
		{"tag":"user:42"},{"tagPrefix":"user:4/"},{"tag":"users:1"},{"tagPrefix":"brand:"},{"all":true},{"all":true,"soft":true}]}`
	for subject, want := range map[string][]event.Target{
		"fn.f":                      list(event.Function("f"), event.Key("f", "a").Soft()),
		"fn.f.g":                    list(event.Key("f.g", 1)),
		"fn.h":                      nil,
		"tag.user":                  list(event.Tag("user:42"), event.TagPrefix("user:4/")),
		"tag.use":                   nil,
		"tag.brand":                 list(event.TagPrefix("brand:")),
		"manifest.user.invalidated": list(event.Tag("user:42"), event.TagPrefix("user:4/")),
		"all":                       list(event.All(), event.All().Soft()),
	} {
		for _, live := range []bool{false, true} {
			full := event.LogSubject("shop", subject)
			if live {
				full = event.LiveSubject("shop", subject)
			}
			header, data := said(event.TypeInvalidated, everything)
			r := event.Decode("shop", full, header, data)
			if d := cmp.Diff(want, r.Targets, sameTargets); d != "" || r.Rejected != event.RejectedSubject || r.Dropped != 9-len(want) || r.Widened != "" || r.Detail == "" {
				t.Errorf("%s: %s%+v", subject, d, r)
			}
		}
	}
}

func TestWhatIsNotUnderstoodIsTheWidestTheSubjectAllows(t *testing.T) {
	t.Parallel()
	const ok = `{"targets":[{"all":true}]}`
	type message struct {
		why    string
		header map[string][]string
		data   string
	}
	with := func(typ string, change ...string) map[string][]string {
		h, _ := said(typ, "")
		for i := 0; i < len(change); i += 2 {
			h[change[i]] = []string{change[i+1]}
		}
		return h
	}
	const inv = event.TypeInvalidated
	messages := []message{
		{event.WidenedUnreadable, nil, ``},
		{event.WidenedUnreadable, nil, `{`},
		{event.WidenedUnreadable, nil, `hello`},
		{event.WidenedUnreadable, nil, `[]`},
		{event.WidenedVersion, nil, ok},
		{event.WidenedVersion, nil, `{"specversion":"1.1","type":"` + inv + `","data":` + ok + `}`},
		{event.WidenedUnreadable, nil, `{"specversion":"1.0","type":"` + inv + `","type":"` + inv + `","data":` + ok + `}`},
		{event.WidenedUnreadable, nil, `{"specversion":"1.0","type":"` + inv + `","data":` + ok + `} trailing`},
		{event.WidenedUnreadable, nil, `{"specversion":"1.0","type":"` + inv + `"}`},
		{event.WidenedUnreadable, nil, `{"specversion":"1.0","type":"` + inv + `","data_base64":"%%"}`},
		{event.WidenedUnreadable, nil, `{"specversion":"1.0","type":"` + inv + `","data":` + ok + `,"data_base64":"e30="}`},
		{event.WidenedUnreadable, nil, `{"specversion":"1.0","type":"` + inv + `","datacontenttype":"text/plain","data":` + ok + `}`},
		{event.WidenedUnreadable, nil, strings.Repeat(`{"a":`, 60000/5)},
		{event.WidenedUnreadable, nil, strings.Repeat(`[`, 60000)},
		{event.WidenedUnreadable, map[string][]string{"content-type": {"application/cloudevents-batch+json"}}, `[{"specversion":"1.0"}]`},
		{event.WidenedUnreadable, with(inv, "Content-Type", "application/cloudevents+json"), ok[:3]},
		{event.WidenedVersion, with(inv, "ce-specversion", "2.0"), ok},
		{event.WidenedVersion, map[string][]string{"ce-type": {inv}}, ok},
		{event.WidenedType, with("dev.lethe.invalidated.v2"), ok},
		{event.WidenedType, with("com.example.other"), ok},
		{event.WidenedType, with(event.TypeReset), ok},
		{event.WidenedType, with(event.TypeTick), `{"node":"n"}`},
		{event.WidenedType, map[string][]string{"ce-specversion": {"1.0"}}, ok},
		{event.WidenedUnreadable, with(inv, "ce-datacontenttype", "application/msgpack"), ok},
		{event.WidenedUnreadable, with(inv, "Ce-Type", "dev.lethe.other.v1"), ok},
		{event.WidenedUnreadable, map[string][]string{"ce-specversion": {"1.0"}, "ce-type": {inv, "x"}}, ok},
		{event.WidenedUnreadable, with(inv), `null`},
		{event.WidenedUnreadable, with(inv), `[]`},
		{event.WidenedUnreadable, with(inv), `{"targets":[{"all":true}`},
		{event.WidenedUnreadable, with(inv), `{"targets":{"all":true}}`},
		{event.WidenedUnreadable, with(inv), `{"targets":null}`},
		{event.WidenedUnreadable, with(inv), `{"targets":[{"all":true}],"targets":[]}`},
		{event.WidenedUnreadable, with(inv), "{\"targets\":[],\"x\":\"\xff\"}"},
		{event.WidenedUnreadable, with(inv), `{"x":` + strings.Repeat(`[`, 60000) + `}`},
		{event.WidenedTarget, with(inv), `{}`},
		{event.WidenedTarget, with(inv), `{"targets":[]}`},
		{event.WidenedTarget, with(inv), `{"Targets":[{"all":true}]}`},
		{event.WidenedSize, with(inv), `{"targets":[{"all":true}],"x":"` + strings.Repeat("x", event.MaxSize) + `"}`},
		{event.WidenedSize, with(inv, "ce-x", strings.Repeat("x", event.MaxSize)), ok},
	}
	for _, bad := range badTargets() {
		why := event.WidenedTarget
		if strings.Contains(bad.wire, `\ud`) { // half a surrogate pair: no text at all
			why = event.WidenedUnreadable
		}
		messages = append(messages, message{why, with(inv), `{"targets":[{"tag":"user:1"},` + bad.wire + `,{"all":true}]}`})
	}
	for subject, want := range map[string][]event.Target{
		"fn.catalog.price":         list(event.Function("catalog.price")),
		"tag.user":                 list(event.TagPrefix("user:")),
		"manifest.chatbot.applied": list(event.TagPrefix("chatbot:")),
		"manifest.chatbot.renamed": list(event.TagPrefix("chatbot:")),
		"manifest.chatbot.a.b":     list(event.TagPrefix("chatbot:")),
		"all":                      list(event.All()),
		"topic.of.a.later.version": list(event.All()),
		"fn":                       list(event.All()),
	} {
		for _, m := range messages {
			r := event.Decode("shop", root+subject, m.header, []byte(m.data))
			if d := cmp.Diff(want, r.Targets, sameTargets); d != "" || r.Dropped != 0 || r.Sys != "" || r.Detail == "" {
				t.Errorf("%s %v %.80s: %s%+v", subject, m.header, m.data, d, r)
			}
			if known := subject != "fn" && !strings.HasPrefix(subject, "topic"); known && r.Widened != m.why {
				t.Errorf("%s %v %.80s: widened because of %q, want %q", subject, m.header, m.data, r.Widened, m.why)
			} else if !known && r.Widened != event.WidenedSubject {
				t.Errorf("%s: widened because of %q", subject, r.Widened)
			}
			if manifest := strings.HasPrefix(subject, "manifest."); manifest != (r.Manifest != nil) && r.Type != inv || r.Type == event.TypeReset || r.Type == "" {
				t.Errorf("%s %v %.80s: type %s with manifest %v", subject, m.header, m.data, r.Type, r.Manifest)
			}
		}
	}
}

func TestAnIllegalNameInTheSubjectConcernsNobody(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{
		"fn.9x", "fn.catalog.*", "fn.", "fn.a..b", "fn.ä", "tag.User", "tag.", "tag.user.42", "tag.*", "manifest.Chatbot.applied", "manifest.",
		"manifest.*.applied", "manifest.a-b.applied", "manifest.9.applied", "fn." + strings.Repeat("a", 129),
	} {
		for _, data := range []string{`{"targets":[{"all":true}]}`, `{`, ``} {
			header, data := said(event.TypeInvalidated, data)
			if r := event.Decode("shop", root+subject, header, data); r.Targets != nil || r.Rejected != event.RejectedName || r.Widened != "" || r.Sys != "" {
				t.Errorf("%s: %+v", subject, r)
			}
		}
	}
	for _, subject := range []string{"", "all", "lethe.v1.log.shop", "lethe.v1.log.shop2.all", "lethe.v1.log.sho.p.all", "lethe.v1.ctl.shop.all", "lethe.v2.log.shop.all"} {
		if r := event.Decode("shop", subject, nil, nil); r.Targets != nil || r.Rejected != event.RejectedFleet {
			t.Errorf("%s: %+v", subject, r)
		}
	}
}

func TestSystemMessagesForgetNothing(t *testing.T) {
	t.Parallel()
	for _, sys := range []string{event.SysTick, event.SysLost} {
		m := event.EncodeSys("shop", sys, "/lethe/shop/n1", "n\xff\"1", "id-1", noon)
		r := event.Decode("shop", m.Subject, m.Header, m.Data)
		if r.Sys != sys || r.ID != "id-1" || r.Source != "/lethe/shop/n1" || r.Type != event.TypeTick || !r.Time.Equal(noon) || r.Targets != nil || r.Widened+r.Rejected != "" {
			t.Errorf("%s: %+v", sys, r)
		}
		for _, data := range []string{"", "{", "[]", `{"targets":[{"all":true}]`} {
			if r := event.Decode("shop", m.Subject, m.Header, []byte(data)); r.Sys != "" || r.Targets != nil || r.Rejected != event.RejectedSys || r.Widened != "" {
				t.Errorf("%s with %q: %+v", sys, data, r)
			}
		}
		header, data := said(event.TypeInvalidated, `{"targets":[{"all":true}]}`)
		if r := event.Decode("shop", m.Subject, header, data); r.Sys != "" || r.Targets != nil || r.Rejected != event.RejectedSys {
			t.Errorf("%s of another type: %+v", sys, r)
		}
	}
	m := event.EncodeSys("shop", "_sys.other", "/x", "n", "1", noon)
	if r := event.Decode("shop", m.Subject, m.Header, m.Data); r.Sys != "" || r.Targets != nil || r.Rejected != event.RejectedSys {
		t.Errorf("%+v", r)
	}
	if m.Subject != root+"_sys.other" || len(m.Data) == 0 {
		t.Errorf("%+v", m)
	}
}

func TestAPrefixWithinALevelIsTheBoundaryAbove(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]event.Target{
		"user:4": event.TagPrefix("user:"), "user:42/ord": event.TagPrefix("user:42/"), "user:42/": event.TagPrefix("user:42/"), "user:": event.TagPrefix("user:"),
	} {
		header, data := said(event.TypeInvalidated, `{"targets":[{"tag":"user:1"},{"tagPrefix":"`+prefix+`","soft":true}]}`)
		r := event.Decode("shop", root+"tag.user", header, data)
		why := ""
		if want.Name() != prefix {
			why = event.WidenedPrefix
		}
		if d := cmp.Diff(list(event.Tag("user:1"), want.Soft()), r.Targets, sameTargets); d != "" || r.Widened != why {
			t.Errorf("%s: %s%+v", prefix, d, r)
		}
	}
}

func TestOtherUnknownFieldsOfDataAreIgnored(t *testing.T) {
	t.Parallel()
	header, data := said(event.TypeInvalidated, ` {"later":[{"x":null}], "reason":"r", "targets" : [ {"tag":"user:42"} ] , "later":1}`)
	r := event.Decode("shop", root+"tag.user", header, data)
	if d := cmp.Diff(list(event.Tag("user:42")), r.Targets, sameTargets); d != "" || r.Widened+r.Rejected != "" || r.Reason != "r" {
		t.Errorf("%s%+v", d, r)
	}
	header, data = said(event.TypeInvalidated, `{"reason":{"text":"r"},"targets":[{"tag":"user:42"}]}`)
	if r := event.Decode("shop", root+"tag.user", header, data); len(r.Targets) != 1 || r.Widened != "" || r.Reason != "" {
		t.Errorf("%+v", r)
	}
}

func TestAManifestBelongsToTheKindOfItsSubject(t *testing.T) {
	t.Parallel()
	const good = `{"apiVersion":"example.dev/v1","kind":"Chatbot","namespace":"acme","name":"helper","uid":"u","generation":3,"resourceVersion":"17",
		"action":"configured","labels":{"team":"a"},"spec":{"x":[]},"targets":[{"tag":"chatbot:acme/helper"},{"tag":"account:acme"}]}`
	header, data := said(event.TypeManifestApplied, good)
	r := event.Decode("shop", root+"manifest.chatbot.applied", header, data)
	want := &event.Manifest{APIVersion: "example.dev/v1", Kind: "Chatbot", Namespace: "acme", Name: "helper", UID: "u", Generation: 3, ResourceVersion: "17", Action: "configured", Labels: map[string]string{"team": "a"}}
	if !reflect.DeepEqual(r.Manifest, want) || len(r.Targets) != 1 || r.Targets[0] != event.Tag("chatbot:acme/helper") || r.Dropped != 1 || r.Type != event.TypeManifestApplied {
		t.Errorf("%+v", r)
	}
	// Another kind: the targets count as far as the subject allows, the object does not.
	r = event.Decode("shop", root+"manifest.account.applied", header, data)
	if r.Manifest == nil || !reflect.DeepEqual(*r.Manifest, event.Manifest{Kind: "account"}) || len(r.Targets) != 1 || r.Targets[0] != event.Tag("account:acme") || r.Rejected != event.RejectedSubject {
		t.Errorf("%+v", r)
	}
	// Another type than the subject's: not to be believed.
	for subject, typ := range map[string]string{"manifest.chatbot.deleted": event.TypeManifestDeleted, "manifest.chatbot.invalidated": event.TypeManifestInvalidated, "tag.chatbot": event.TypeInvalidated} {
		r = event.Decode("shop", root+subject, header, data)
		if r.Widened != event.WidenedType || r.Type != typ || len(r.Targets) != 1 || r.Targets[0] != event.TagPrefix("chatbot:") || (r.Manifest == nil) != (typ == event.TypeInvalidated) {
			t.Errorf("%s: %+v", subject, r)
		}
	}
	for _, bad := range []string{`"generation":"3"`, `"generation":1.5`, `"generation":99999999999999999999`, `"kind":1`, `"labels":[]`, `"labels":{"a":1}`, `"name":null`} {
		header, data := said(event.TypeManifestApplied, `{"kind":"Chatbot",`+bad+`,"targets":[{"tag":"chatbot:acme/helper"}]}`)
		r := event.Decode("shop", root+"manifest.chatbot.applied", header, data)
		if r.Widened != event.WidenedUnreadable || len(r.Targets) != 1 || r.Targets[0] != event.TagPrefix("chatbot:") || r.Manifest == nil || r.Manifest.Kind != "chatbot" {
			t.Errorf("%s: %+v", bad, r)
		}
	}
}
