package manifest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/lethe-cache/lethe/internal/document"
)

// formats are those that a schema may name. Without a check of its own (nil) a format has the engine's. A format says nothing of a
// value of another type.
func formats() map[string]func(any) error {
	return map[string]func(any) error{
		"date": nil, "json-pointer": nil, "relative-json-pointer": nil, "uuid": nil, "regex": nil, "period": nil, "semver": nil,
		"date-time":     ofText(dateTime),
		"time":          ofText(func(s string) error { return dateTime("2000-01-01T" + s) }),
		"duration":      ofText(duration),
		"ipv4":          ofText(func(s string) error { return address(s, netip.Addr.Is4) }),
		"ipv6":          ofText(func(s string) error { return address(s, netip.Addr.Is6) }),
		"hostname":      ofText(hostname),
		"idn-hostname":  ofText(idnHostname),
		"email":         ofText(asciiEmail),
		"idn-email":     ofText(func(s string) error { return email(s, idnHostname) }),
		"uri":           ofText(func(s string) error { return uri(s, false, true) }),
		"uri-reference": ofText(func(s string) error { return uri(s, false, false) }),
		"iri":           ofText(func(s string) error { return uri(s, true, true) }),
		"iri-reference": ofText(func(s string) error { return uri(s, true, false) }),
		"uri-template":  ofText(uriTemplate),

		// Those of OpenAPI, which many schemas have. A password and binary text may be anything.
		"int32":    ofWhole(32),
		"int64":    ofWhole(64),
		"float":    ofNumber(math.MaxFloat32),
		"double":   ofNumber(math.MaxFloat64),
		"byte":     ofText(func(s string) error { _, err := base64.StdEncoding.DecodeString(s); return err }),
		"password": ofText(func(string) error { return nil }),
		"binary":   ofText(func(string) error { return nil }),
	}
}

func ofText(check func(string) error) func(any) error {
	return func(v any) error {
		if s, ok := v.(string); ok {
			return check(s)
		}
		return nil
	}
}

func ofWhole(bits int) func(any) error {
	return func(v any) error {
		n, ok := v.(json.Number)
		if !ok {
			return nil
		}
		if _, err := strconv.ParseInt(n.String(), 10, bits); err != nil {
			return fmt.Errorf("has to be a whole number of %d bits", bits)
		}
		return nil
	}
}

func ofNumber(most float64) func(any) error {
	return func(v any) error {
		n, ok := v.(json.Number)
		if !ok {
			return nil
		}
		if f, err := n.Float64(); err != nil || math.Abs(f) > most {
			return fmt.Errorf("has to be between -%g and %g", most, most)
		}
		return nil
	}
}

// checkFormats refuses a schema that names a format which nobody checks. Kinds that were stored before are not asked: they stay
// what they were until they are applied again.
func (s *schema) checkFormats(field string) error {
	var bad problems
	unknownFormats(field, s.written, 0, &bad)
	return bad.err()
}

func unknownFormats(field string, node any, depth int, bad *problems) {
	n, ok := node.(map[string]any)
	if !ok || depth > document.MaxDepth {
		return
	}
	if name, given := n["format"].(string); given {
		if known := formats(); !slices.Contains(slices.Collect(maps.Keys(known)), name) {
			bad.add(document.Member(field, "format"), "%s is checked by nothing; %s; or leave it out and use pattern", quote(name), choice(name, slices.Collect(maps.Keys(known))))
		}
	}
	for keyword, below := range sorted(n) {
		at := document.Member(field, keyword)
		switch below := below.(type) {
		case map[string]any:
			switch keyword {
			case "default", "const": // values
			case "properties", "patternProperties", "$defs", "dependentSchemas":
				for name, one := range sorted(below) {
					unknownFormats(document.Member(at, name), one, depth+1, bad)
				}
			default:
				unknownFormats(at, below, depth+1, bad)
			}
		case []any:
			for i, one := range below {
				if keyword != "enum" && keyword != "examples" && keyword != "const" && keyword != "default" {
					unknownFormats(document.Item(at, i), one, depth+1, bad)
				}
			}
		}
	}
}

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// dateTime takes what RFC 3339 does. A leap second is the last one of a day in UTC.
func dateTime(s string) error {
	s = strings.ToUpper(s)
	const seconds = len("2006-01-02T15:04:")
	leap := len(s) > seconds && strings.HasPrefix(s[seconds:], "60")
	if leap {
		s = s[:seconds] + "59" + s[seconds+2:]
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || !timeForm.MatchString(s) || leap && t.UTC().Format("15:04") != "23:59" {
		return errors.New("has to be a time with its zone, like 2026-11-22T18:00:00Z")
	}
	return nil
}

// durationForm is that of RFC 3339, appendix A: no unit is left out between two.
var durationForm = regexp.MustCompile(`^P(\d+W|(\d+Y(\d+M(\d+D)?)?|\d+M(\d+D)?|\d+D)?(T(\d+H(\d+M(\d+S)?)?|\d+M(\d+S)?|\d+S))?)$`)

func duration(s string) error {
	if !durationForm.MatchString(s) || s == "P" {
		return errors.New("has to be a duration like PT5M or P1DT12H")
	}
	return nil
}

func address(s string, kind func(netip.Addr) bool) error {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return errors.New("has to be an address")
	case !kind(a):
		return errors.New("is an address of another kind")
	case a.Zone() != "":
		return errors.New("has a zone")
	}
	return nil
}

// hostname takes what RFC 1123 does: labels of letters, digits and inner hyphens.
func hostname(s string) error {
	ok := len(s) <= 253
	for label := range strings.SplitSeq(s, ".") {
		ok = ok && label != "" && len(label) <= 63 && label[0] != '-' && label[len(label)-1] != '-'
		for i := range len(label) {
			ok = ok && (alphanumeric(label[i]) || label[i] == '-')
		}
	}
	if !ok {
		return errors.New("has to be a host name like www.example.dev")
	}
	return nil
}

func idnHostname(s string) error {
	ascii, err := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true)).ToASCII(s)
	if err != nil {
		return errors.New("has to be a host name")
	}
	return hostname(ascii)
}

// email takes an address as it stands between < and >, without a name and comments.
func email(s string, host func(string) error) error {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s && a.String() != "<"+s+">" {
		return errors.New("has to be an address like somebody@example.dev")
	}
	at := strings.LastIndexByte(s, '@')
	if literal, ok := strings.CutPrefix(s[at+1:], "["); ok {
		if _, err := netip.ParseAddr(strings.TrimSuffix(literal, "]")); err != nil {
			return errors.New("has no address between brackets")
		}
		return nil
	}
	return host(s[at+1:])
}

func asciiEmail(s string) error {
	if strings.ContainsFunc(s, func(c rune) bool { return c >= 0x80 }) {
		return errors.New("has letters that only idn-email allows")
	}
	return email(s, hostname)
}

// uri takes what RFC 3986 does, or RFC 3987 with international characters; net/url lets more pass, like spaces and quotes.
func uri(s string, international, absolute bool) error {
	for i, c := range s {
		plain := c > ' ' && c < 0x7f && !strings.ContainsRune("\"<>\\^`{|}", c)
		if !plain && (!international || c < 0xa0 || !unicode.IsGraphic(c) || unicode.IsSpace(c)) {
			return fmt.Errorf("has a character that has to be percent-encoded at %d", i)
		}
		if c == '%' && (len(s) < i+3 || strings.Trim(s[i+1:i+3], "0123456789abcdefABCDEF") != "") {
			return fmt.Errorf("has a %% without two hexadecimal digits at %d", i)
		}
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		if cause := errors.Unwrap(err); cause != nil {
			err = cause
		}
		return err
	case absolute && !u.IsAbs():
		return errors.New("lacks a scheme like https")
	case strings.Count(s, "#") > 1:
		return errors.New("has two fragments (#)")
	case strings.Count(s, "[")+strings.Count(s, "]") != strings.Count(u.Host, "[")+strings.Count(u.Host, "]"):
		return errors.New("has brackets outside of its host, which have to be percent-encoded")
	}
	return nil
}

const (
	templateEncoded = `%[0-9A-Fa-f]{2}`
	templateLetter  = `(?:[A-Za-z0-9_]|` + templateEncoded + `)`
	templateName    = templateLetter + `(?:\.?` + templateLetter + `)*(?::[1-9][0-9]{0,3}|\*)?`
	templateLiteral = `[!#$&()*+,\-./:;=?@A-Z\[\]_a-z~0-9\x{a0}-\x{10fffd}]`
)

// templateForm is that of RFC 6570: text, and expressions in braces.
var templateForm = regexp.MustCompile(`^(?:` + templateLiteral + `|` + templateEncoded + `|\{[+#./;?&]?` + templateName + `(?:,` + templateName + `)*\})*$`)

func uriTemplate(s string) error {
	if !templateForm.MatchString(s) {
		return errors.New("has to be a URI with names in braces, like /bots/{name}")
	}
	return nil
}
