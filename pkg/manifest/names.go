package manifest

import (
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lethe-cache/lethe/internal/document"
	"github.com/lethe-cache/lethe/pkg/event"
)

// DefaultNamespace is that of a manifest which names none.
const DefaultNamespace = "default"

// Bounds of a manifest.
const (
	// MaxSize is the most bytes of JSON a manifest has without its status.
	MaxSize = 1 << 20
	// MaxAnnotations is the most bytes all keys and values of annotations have together.
	MaxAnnotations = 64 << 10
	// MaxLabels is the most bytes of JSON all labels have together: they travel in each event.
	MaxLabels = 6 << 10
)

// check refuses names, labels and annotations that are not legal; fields are named from metadata on.
func (m *Metadata) check() error {
	var bad problems
	bad.put(objectName("metadata.namespace", m.Namespace))
	if m.Name == "" {
		bad.add("metadata.name", "is missing; use "+nameForm)
	} else {
		bad.put(objectName("metadata.name", m.Name))
	}
	for name, value := range sorted(m.Labels) {
		at := document.Member("metadata.labels", name)
		if !qualified(name) {
			bad.add(at, "use a name of at most 63 letters, digits, '-', '_' and '.' that begins and ends with a letter or digit, and before it, if you like, a DNS subdomain and '/', like example.dev/team")
		}
		if value != "" && !labelText(value) {
			bad.add(at, "%q: use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit; longer text belongs in annotations", clip(value))
		}
	}
	if text, err := json.Marshal(m.Labels); err == nil && len(text) > MaxLabels {
		bad.add("metadata.labels", "have %d bytes as JSON, at most %d are allowed: they travel in each event; move some to annotations", len(text), MaxLabels)
	}
	size := 0
	for name, value := range sorted(m.Annotations) {
		size += len(name) + len(value)
		if !qualified(name) {
			bad.add(document.Member("metadata.annotations", name), "use a name of at most 63 letters, digits, '-', '_' and '.' that begins and ends with a letter or digit, and before it, if you like, a DNS subdomain and '/', like example.dev/note")
		}
	}
	if size > MaxAnnotations {
		bad.add("metadata.annotations", "have %d bytes, at most %d are allowed", size, MaxAnnotations)
	}
	return bad.err()
}

// nameForm says what names of objects and namespaces look like.
const nameForm = "lower-case letters, digits, and - and _ between them, like helper, my_bot or bots.acme"

// objectName takes names of objects and namespaces, by the rule that package event has for the manifest of an event: DNS labels
// and subdomains, with _ inside of a label.
func objectName(field, s string) error {
	if !labels(s, "-_") {
		return &Error{Field: field, Reason: quote(s) + ": use " + nameForm}
	}
	return nil
}

// dns takes DNS labels and subdomains: API groups and the prefixes of labels.
func dns(field, s string) error {
	if !labels(s, "-") {
		return &Error{Field: field, Reason: quote(s) + ": use a DNS label or subdomain, like helper or bots.acme"}
	}
	return nil
}

// labels says whether s is labels of lower-case letters, digits and some characters between them, separated by dots.
func labels(s, between string) bool {
	ok := s != "" && len(s) <= 253
	for label := range strings.SplitSeq(s, ".") {
		ok = ok && label != "" && len(label) <= 63 && !strings.ContainsAny(label[:1]+label[len(label)-1:], between)
		for i := 0; ok && i < len(label); i++ {
			ok = lower(label[i]) || label[i] >= '0' && label[i] <= '9' || strings.IndexByte(between, label[i]) >= 0
		}
	}
	return ok
}

// refused is an error of package event as one of this package.
func refused(field string, err error) error {
	if e := (*event.Error)(nil); errors.As(err, &e) {
		return &Error{Field: field, Reason: e.Problem}
	}
	return &Error{Field: field, Reason: err.Error()}
}

// qualified is a key of labels and annotations: [prefix/]name.
func qualified(s string) bool {
	prefix, name, found := strings.Cut(s, "/")
	if !found {
		return labelText(s)
	}
	return dns("", prefix) == nil && labelText(name)
}

// labelText is 1 to 63 letters, digits, '-', '_' and '.', with letters or digits at both ends.
func labelText(s string) bool {
	if s == "" || len(s) > 63 || !alphanumeric(s[0]) || !alphanumeric(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// checkAPIVersion takes group/version and version: a DNS subdomain, and a DNS label that begins with a letter.
func checkAPIVersion(field, s string) error {
	group, version, found := strings.Cut(s, "/")
	if !found {
		group, version = "", s
	}
	ok := !found || dns("", group) == nil
	ok = ok && dns("", version) == nil && len(version) <= 63 && !strings.Contains(version, ".") && lower(version[0])
	if !ok {
		return &Error{Field: field, Reason: quote(s) + ": use a version, or a DNS name, '/' and a version, like example.dev/v1"}
	}
	return nil
}

// checkPlural takes the other names of kinds: a lower-case letter and up to 62 more, digits or hyphens.
func checkPlural(field, s string) error {
	ok := s != "" && len(s) <= 63 && lower(s[0]) && s[len(s)-1] != '-'
	for i := 0; ok && i < len(s); i++ {
		ok = lower(s[i]) || s[i] >= '0' && s[i] <= '9' || s[i] == '-'
	}
	if !ok {
		return &Error{Field: field, Reason: quote(s) + ": use a lower-case letter and up to 62 more, digits or inner hyphens, like chatbots"}
	}
	return nil
}

func quote(s string) string { return strconv.Quote(clip(s)) }

// sorted goes through a map by its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' }

func alphanumeric(c byte) bool { return lower(c|0x20) || c >= '0' && c <= '9' }
