package manifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestAFormatTakesWhatItsStandardDoes(t *testing.T) {
	t.Parallel()
	for format, c := range map[string]struct{ good, bad []string }{
		"date-time":     {[]string{"2026-11-22T18:00:00Z", "2026-11-22t18:00:00.25+01:00", "2016-12-31T23:59:60Z", "2017-01-01T00:59:60+01:00"}, []string{"2026-11-22", "2026-11-22T18:00:00", "2026-02-30T18:00:00Z", "2026-11-22T+8:00:00Z", "2026-11-22T18:00:60Z", "2026-11-22T24:00:00Z"}},
		"date":          {[]string{"2026-11-22"}, []string{"2026-13-01", "22.11.2026", "2026-1-2"}},
		"time":          {[]string{"18:00:00Z", "18:00:00.5-02:00", "23:59:60Z"}, []string{"18:00:00", "+1:+2:+3Z", "25:00:00Z", "18:00Z"}},
		"duration":      {[]string{"PT5M", "P1Y2M3DT4H5M6S", "P3W", "P1DT12H"}, []string{"P", "PT", "P1Y2D", "PT1H2S", "5m", "P1DT", "P1W2D", "p1d"}},
		"ipv4":          {[]string{"192.0.2.1"}, []string{"+1.2.3.4", "192.0.2", "192.0.2.01", "::1", "192.0.2.1/24"}},
		"ipv6":          {[]string{"2001:db8::1", "::ffff:192.0.2.1"}, []string{"192.0.2.1", "fe80::1%eth0", ":::1"}},
		"hostname":      {[]string{"example.dev", "a", "xn--bcher-kva.example", "3com.example"}, []string{"example.", "-a.example", "a_b.example", "a..b", "", "bücher.example", strings.Repeat("a", 64)}},
		"idn-hostname":  {[]string{"bücher.example", "example.dev", "例え.テスト"}, []string{"-> $1.00 <--", "a b", "ex..ample", "a_b"}},
		"email":         {[]string{"a@example.dev", "a.b+c@example.dev", `"a b"@example.dev`, "a@[192.0.2.1]"}, []string{"@example.com", "a@", "a", "A <a@example.dev>", "a@b_c", "a@[nowhere]", "ü@example.dev", "a@example.dev (me)", "a@b@example.dev"}},
		"idn-email":     {[]string{"ü@bücher.example", "a@example.dev"}, []string{"2962", "@bücher.example", "ü@-"}},
		"uri":           {[]string{"https://example.dev/a?b=c#d", "urn:isbn:0451450523", "http://[2001:db8::1]:80/", "mailto:a@example.dev", "https://example.dev/%C3%BC"}, []string{"https://example.org/a b", `https://e.org/<>"{}|`, "/relative", "https://e.org/%zz", "https://e.org/?a=%2", "https://e.org/a[b]", "https://e.org/ü", "https://e.org/#a#b", "https://e.org:port/", ""}},
		"uri-reference": {[]string{"/a/b?c", "a", "", "#x", "//example.dev/a", "https://example.dev"}, []string{"/a b", `a\b`, "%1", "/[a]", "http://[::1"}},
		"iri":           {[]string{"https://bücher.example/ü?ü", "https://example.dev/"}, []string{"http://a b/", "/relative", "https://e.org/\u2003", "https://e.org/<"}},
		"iri-reference": {[]string{"/ü", "ü"}, []string{"/ü b", "ü^"}},
		"uri-template":  {[]string{"/bots/{name}", "{+base}/a{?q,page:3,list*}", "plain", "/{a.b}/%20"}, []string{"{}", "/{name", "/name}", "{a b}", "{?}", "/{a:0}", "a b", "%2"}},
		"uuid":          {[]string{"0190a1b2-0000-7000-8000-00000000000F"}, []string{"0190a1b2", "0190a1b2-0000-7000-8000-00000000000g"}},
		"json-pointer":  {[]string{"", "/a/0", "/a~1b"}, []string{"a", "/a~"}},
		"regex":         {[]string{"^a+$"}, []string{"(", "a{2,1}"}},
		"byte":          {[]string{"", "YQ=="}, []string{"!", "YQ"}},
		"semver":        {[]string{"1.2.3-rc.1+b"}, []string{"1.2"}},
		"password":      {[]string{"", "a b"}, nil},
		"binary":        {[]string{"\x00"}, nil},
	} {
		s := schemaOf(t, fmt.Sprintf(`{"type":"object","properties":{"v":{"format":%q}}}`, format))
		for want, texts := range map[bool][]string{true: c.good, false: c.bad} {
			for _, text := range texts {
				v, err := json.Marshal(text)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := takes(t, s, fmt.Sprintf(`{"v":%s}`, v)); (err == nil) != want {
					t.Errorf("%s: %q: %v", format, text, err)
				}
			}
		}
		if _, err := takes(t, s, `{"v":true}`); err != nil {
			t.Errorf("%s says something of what is no text: %v", format, err)
		}
	}
	for format, c := range map[string][2]string{
		"int32": {"2147483647", "2147483648"}, "int64": {"-9223372036854775808", "9223372036854775808"}, "float": {"3.4e38", "3.5e38"}, "double": {"1e308", ""},
	} {
		s := schemaOf(t, fmt.Sprintf(`{"type":"object","properties":{"v":{"format":%q}}}`, format))
		if _, err := takes(t, s, `{"v":`+c[0]+`}`); err != nil {
			t.Errorf("%s: %s: %v", format, c[0], err)
		}
		if c[1] == "" {
			continue
		}
		if _, err := takes(t, s, `{"v":`+c[1]+`}`); err == nil {
			t.Errorf("%s takes %s", format, c[1])
		}
	}
}

func TestAFormatThatNobodyChecksIsRefusedWhenAKindIsApplied(t *testing.T) {
	t.Parallel()
	const kind = `{"apiVersion":"lethe.dev/v1","kind":"Kind","metadata":{"name":"k"},"spec":{"apiVersion":"v1","names":{"kind":"K"},"schema":{"type":"object",
	  "properties":{"format":{"type":"string","format":"date_time"},"b":{"items":{"anyOf":[{"format":"ipv5"},{"format":"uri"}]},"default":[],"examples":[{"format":"x"}]}},
	  "$defs":{"d":{"not":{"format":"uid"}}},"default":{"format":"y"}}}}`
	o, err := readObject([]byte(kind))
	if err != nil {
		t.Fatal(err)
	}
	_, err = kindKind().prepare(o)
	got := refusalOf(t, err)
	want := []string{
		`spec.schema.$defs.d.not.format: "uid" is checked by nothing; `,
		`spec.schema.properties.b.items.anyOf[0].format: "ipv5" is checked by nothing; did you mean ipv4?; or leave it out and use pattern`,
		`spec.schema.properties.format.format: "date_time" is checked by nothing; did you mean date-time?; or leave it out and use pattern`,
	}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%s, want %s", got[i], want[i])
		}
	}
	if _, err := stored(o); err != nil { // by a program of before
		t.Errorf("a kind that is stored can't be used any more: %v", err)
	}
	for _, format := range slices.Sorted(maps.Keys(formats())) {
		s := schemaOf(t, fmt.Sprintf(`{"type":"object","required":["v"],"properties":{"v":{"type":"string","format":%q}}}`, format))
		v := (&inventor{root: s.root}).value(s.root, 0)
		if err := s.check("spec", v); err != nil {
			t.Errorf("the example of a schema: %v", err)
		}
	}
}
