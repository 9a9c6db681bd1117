package document_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/document"
)

type named struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
}

type guarded struct {
	named

	Version string          `json:"resourceVersion,omitempty"`
	Since   time.Time       `json:"since,omitzero"`
	Limit   int             `json:"limit,omitempty"`
	Parts   []named         `json:"parts"`
	Status  json.RawMessage `json:"status"`
	Hidden  string          `json:"-"`
}

func TestDecodeRefusesWhatEncodingJSONWouldReadAsSomethingElse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text, field string
		words       string
	}{
		{`{"kind":"bot","resourceVersion":"1","RESOURCEVERSION":""}`, "RESOURCEVERSION", "did you mean resourceVersion?"},
		{`{"KIND":"bot"}`, "KIND", "did you mean kind?"},
		{`{"\u212aind":"bot"}`, "[\"\u212aind\"]", "did you mean kind?"}, // the sign for kelvin, which encoding/json takes for a k
		{`{"kind":"bot","kind":"account"}`, "kind", "twice"},
		{`{"kind":"bot","resourceVersion":"1","resource\u0056ersion":""}`, "resourceVersion", "twice"},
		{`{"kind":"bot","title":"a"}`, "title", "no member here"},
		{`{"kind":"bot","Hidden":"a"}`, "Hidden", "no member here"},
		{`{"kind":"bot","named":{}}`, "named", "no member here"},
		{`{"kind":"bot","parts":[{"kind":"a"},{"Kind":"b"}]}`, "parts[1].Kind", "did you mean kind?"},
		{`{"kind":"bot","status":{"a":1,"b":{"c":1,"c":2}}}`, "status.b.c", "twice"},
		{`{"kind":"\ud800"}`, "kind", "surrogate"},
		{`{"kind":4}`, "kind", "has to be text"},
		{`{"kind":"bot","limit":"4"}`, "limit", "has to be a number"},
		{`{"kind":"bot","parts":{}}`, "parts", "has to be a list"},
		{`{"kind":"bot","since":"yesterday"}`, "", "can't be read"},
		{"{\"kind\":\"\xff\"}", "", "UTF-8"},
		{`{"kind":"bot"}{}`, "", "is no JSON"},
		{`{"kind":"bot"`, "", "is no JSON"},
		{"", "", "is no JSON"},
		{"null", "", "has to be an object"},
		{"[]", "", "has to be an object"},
		{"kind: bot", "", "is no JSON"},
		{strings.Repeat("[", 500) + strings.Repeat("]", 500), "", "nested"},
	} {
		var got guarded
		err := document.Decode([]byte(tc.text), &got)
		var at *document.Error
		if !errors.As(err, &at) || tc.field != "" && at.Field != tc.field || !strings.Contains(at.Reason, tc.words) {
			t.Errorf("%.60s: %v, want field %q and %q", tc.text, err, tc.field, tc.words)
		}
	}
	var got guarded
	err := document.Decode([]byte(" {\"kind\":\"bot\",\n\"name\":null,\"limit\":3,\"since\":\"2026-11-22T10:00:00Z\",\"parts\":[{\"name\":\"\\ud83d\\ude00\"}],\"status\":{\"KIND\":1.50,\"kind\":2}} "), &got)
	if err != nil || got.Kind != "bot" || got.Limit != 3 || got.Since.Hour() != 10 || got.Parts[0].Name != "😀" || string(got.Status) != `{"KIND":1.50,"kind":2}` {
		t.Errorf("%+v: %v", got, err)
	}
}
