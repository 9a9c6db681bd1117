package event_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 123456789, time.UTC)

// TestTheSameEventIsReadInEveryMode: by whatever library and in whatever spelling it was sent.
func TestTheSameEventIsReadInEveryMode(t *testing.T) {
	t.Parallel()
	const (
		data = `{"targets":[{"tag":"user:42"}],"reason":"rename"}`
		body = `{"specversion":"1.0","id":"ä 1","source":"/cli","type":"dev.lethe.invalidated.v1","subject":"user:42","time":"2026-11-01T13:00:00.123456789+01:00",
			"authtype":"user","authid":"jörg","sequence":7,"flag":true,"nothing":null,"odd":{"a":1},`
		full = body + `"data":` + data + `}`
	)
	coded := base64.StdEncoding.EncodeToString([]byte(data))
	lower := map[string]string{
		"ce-specversion": "1.0", "ce-id": "%C3%A4%201", "ce-source": "/cli", "ce-type": "dev.lethe.invalidated.v1", "ce-subject": "user:42", "ce-sequence": "7", "ce-flag": "true",
		"ce-time": "2026-11-01T12:00:00.123456789Z", "ce-authtype": "user", "ce-authid": "j%c3%b6rg", "ce-datacontenttype": "application/json; charset=utf-8",
	}
	header := func(change func(k, v string) (string, string)) map[string][]string {
		h := map[string][]string{"Nats-Msg-Id": {"x"}, "Content-Type": {"application/json"}, "ce-empty": {}}
		for k, v := range lower {
			k, v = change(k, v)
			h[k] = []string{v}
		}
		return h
	}
	for name, m := range map[string]struct {
		header map[string][]string
		data   string
	}{
		"binary":   {header(func(k, v string) (string, string) { return k, v }), data},
		"capitals": {header(func(k, v string) (string, string) { return strings.ToUpper(k), v }), data},
		"as in Go": {header(func(k, v string) (string, string) { return "Ce-" + strings.ToUpper(k[3:4]) + k[4:], v }), data},
		"quoted":   {header(func(k, v string) (string, string) { return k, `"` + v + `"` }), data},
		"never escaped": {header(func(k, v string) (string, string) {
			return k, strings.NewReplacer("%C3%A4%20", "ä ", "%c3%b6", "ö").Replace(v)
		}), data},
		"all escaped":    {header(func(k, v string) (string, string) { return k, strings.NewReplacer("l", "%6c", "r", "%72").Replace(v) }), data},
		"no header":      {nil, full},
		"other headers":  {map[string][]string{"Nats-Msg-Id": {"x"}, "traceparent": {"y"}}, full},
		"content type":   {map[string][]string{"cOnTeNt-TyPe": {"Application/CloudEvents+JSON; charset=utf-8"}}, full},
		"both":           {map[string][]string{"Content-Type": {" application/cloudevents+json"}, "ce-type": {"another"}}, full},
		"base64":         {nil, body + `"data_base64":"` + coded + `"}`},
		"data first":     {nil, `{"data":` + data + `,` + full[1:strings.LastIndex(full, `,"data"`)] + `}`},
		"JSON by suffix": {nil, body + `"datacontenttype":"application/vnd.lethe+JSON","data":` + data + `}`},
	} {
		r := event.Decode("shop", root+"tag.user", m.header, []byte(m.data))
		if len(r.Targets) != 1 || r.Targets[0] != event.Tag("user:42") || r.Widened+r.Rejected+r.Detail != "" || r.Reason != "rename" {
			t.Errorf("%s: %+v", name, r)
		}
		if r.ID != "ä 1" || r.Source != "/cli" || r.Type != event.TypeInvalidated || r.Subject != "user:42" || !r.Time.Equal(noon) || r.ActorType != "user" || r.ActorID != "jörg" {
			t.Errorf("%s: %+v", name, r.Event)
		}
		if r.Extensions["sequence"] != "7" || r.Extensions["flag"] != "true" || len(r.Extensions) != 2 {
			t.Errorf("%s: extensions %v", name, r.Extensions)
		}
	}
}

// TestByHand is the example of the contract's last section.
func TestByHand(t *testing.T) {
	t.Parallel()
	r := event.Decode("shop", "lethe.v1.live.shop.tag.user", nil, []byte(`{"specversion":"1.0","id":"1","source":"/cli",
      "type":"dev.lethe.invalidated.v1","datacontenttype":"application/json",
      "data":{"targets":[{"tag":"user:42"}]}}`))
	if len(r.Targets) != 1 || r.Targets[0] != event.Tag("user:42") || r.Widened+r.Rejected != "" || r.ID != "1" || r.Source != "/cli" {
		t.Errorf("%+v", r)
	}
}

// TestHeadersThatContradictMeanTheSameOnEveryNode: a map has no order.
func TestHeadersThatContradictMeanTheSameOnEveryNode(t *testing.T) {
	t.Parallel()
	header, data := said(event.TypeInvalidated, `{"targets":[{"tag":"user:42"}]}`)
	delete(header, "ce-source")
	header["CE-SOURCE"], header["Ce-Source"], header["Ce-Id"] = []string{"/b"}, []string{"/a"}, []string{"2"}
	for range 50 {
		if r := event.Decode("shop", root+"tag.user", header, data); r.ID != "1" || r.Source != "/b" || len(r.Targets) != 1 || r.Widened != "" {
			t.Fatalf("%+v", r)
		}
	}
}

func TestAttributesOfStrangersAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	header, data := said(event.TypeInvalidated, `{"targets":[{"tag":"user:42"}]}`)
	for name, value := range map[string]string{"ce-a": "100%", "ce-b": "%zz", "ce-c": "%ff", "ce-d": "\xff", "ce-e": `"a\"b"`, "ce-f": "%4", "ce-with-dash": "x", "ce-abcdefghijklmnopqrstu": "x", "ce-time": "noon"} {
		header[name] = []string{value}
	}
	r := event.Decode("shop", root+"tag.user", header, data)
	want := map[string]string{"a": "100%", "b": "%zz", "c": "%ff", "d": "\uFFFD", "e": `a"b`, "f": "%4"}
	if len(r.Extensions) != len(want) || !r.Time.IsZero() || len(r.Targets) != 1 {
		t.Errorf("%+v", r)
	}
	for k, v := range want {
		if r.Extensions[k] != v {
			t.Errorf("%s is %q, want %q", k, r.Extensions[k], v)
		}
	}
	for i := range 100 {
		header["ce-x"+strings.Repeat("y", i%20)+string(rune('a'+i%26))] = []string{"z"}
	}
	header["ce-traceparent"] = []string{"t"}
	if r := event.Decode("shop", root+"tag.user", header, data); len(r.Extensions) > 17 || r.Extensions["traceparent"] != "t" {
		t.Errorf("%d extensions are kept: %v", len(r.Extensions), r.Extensions)
	}
}

// Attributes in headers count in binary mode only; of what is too large, nothing does.
func TestHeadersDoNotCountWhereTheyAreNotTheEvents(t *testing.T) {
	t.Parallel()
	header := map[string][]string{
		"content-type": {"application/cloudevents+json"}, "ce-id": {"header"}, "ce-source": {"/header"}, "ce-traceparent": {"header"},
		"ce-specversion": {"0.3"}, "ce-datacontenttype": {"text/plain"}, "ce-time": {"2026-11-22T21:00:00Z"},
	}
	r := event.Decode("shop", root+"all", header, []byte(`{"specversion":"1.0","type":"dev.lethe.invalidated.v1","source":"/body","data":{"targets":[{"all":true}]}}`))
	if r.ID != "" || r.Source != "/body" || r.Extensions != nil || !r.Time.IsZero() || r.Widened != "" {
		t.Errorf("a structured event: %+v", r)
	}
	delete(header, "content-type")
	r = event.Decode("shop", root+"all", header, make([]byte, event.MaxSize))
	if r.ID != "" || r.Source != "" || r.Extensions != nil || r.Widened != event.WidenedSize || len(r.Targets) != 1 {
		t.Errorf("too large: %+v", r)
	}
}
