package manifest

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/internal/document"
)

// Bounds of what the journal says of one change.
const (
	journalFields = 64       // of more, the first ones
	journalBytes  = 16 << 10 // of all of them
	journalValue  = 256      // of one value; a longer one is cut
	journalPath   = 512      // of the path of one
)

// JournalField is a field that has changed. Objects are taken apart, member by member, and so are lists of objects.
type JournalField struct {
	Path string `json:"path"` // like spec.plugins[2].name
	// Old and New are the values, in JSON; left out where there was none, or is none any more.
	Old json.RawMessage `json:"old,omitempty"`
	New json.RawMessage `json:"new,omitempty"`
	// Cut says that a value is over 256 bytes: its first ones are given, as text.
	Cut bool `json:"cut,omitempty"`
	// Secret says that the field is marked x-secret, or may be: no value is given, and nothing below it.
	Secret bool `json:"secret,omitempty"`
}

// differing gathers what differs between two objects.
type differing struct {
	all  []JournalField
	more bool // there are others
	size int
}

// absent stands for a value that there is none of.
type absent struct{}

// difference of two objects; nil is none. A spec that can't be read has no fields.
func difference(old, next *Object, s secrets) differing {
	var f differing
	f.walk("apiVersion", textIn(old, func(o *Object) string { return o.APIVersion }), textIn(next, func(o *Object) string { return o.APIVersion }), nil)
	f.walk("metadata.labels", pairsIn(old, func(o *Object) map[string]string { return o.Metadata.Labels }), pairsIn(next, func(o *Object) map[string]string { return o.Metadata.Labels }), nil)
	f.walk("metadata.annotations", pairsIn(old, func(o *Object) map[string]string { return o.Metadata.Annotations }), pairsIn(next, func(o *Object) map[string]string { return o.Metadata.Annotations }), nil)
	f.walk("spec", specIn(old), specIn(next), s.spot())
	return f
}

func textIn(o *Object, get func(*Object) string) any {
	if o == nil || get(o) == "" {
		return absent{}
	}
	return get(o)
}

func pairsIn(o *Object, get func(*Object) map[string]string) any {
	if o == nil || len(get(o)) == 0 {
		return absent{}
	}
	m := make(map[string]any, len(get(o)))
	for name, value := range get(o) {
		m[name] = value
	}
	return m
}

func specIn(o *Object) any {
	if o == nil || len(o.Spec) == 0 {
		return absent{}
	}
	value, err := decoded(o.Spec)
	if err != nil {
		return absent{}
	}
	return value
}

func (f *differing) walk(path string, old, next any, at *spot) {
	if f.more || reflect.DeepEqual(old, next) {
		return
	}
	if at != nil && at.secret {
		f.add(JournalField{Path: path, Secret: true})
		return
	}
	was, wasObject := old.(map[string]any)
	is, isObject := next.(map[string]any)
	items, wasList := old.([]any)
	others, isList := next.([]any)
	switch {
	case together(old, next, wasObject, isObject) && len(was)+len(is) > 0:
		f.members(path, was, is, at)
	case together(old, next, wasList, isList) && len(items)+len(others) > 0 &&
		(at != nil || slices.ContainsFunc(items, holds) || slices.ContainsFunc(others, holds)):
		for i := range max(len(items), len(others)) {
			f.walk(document.Item(path, i), itemOf(items, i), itemOf(others, i), at.item(i))
		}
	case at != nil && !isAbsent(old) && !isAbsent(next) && (holds(old) || holds(next)): // a secret may be in either
		f.walk(path, old, absent{}, at)
		f.walk(path, absent{}, next, at)
	default:
		f.value(path, old, next)
	}
}

// members walks those of two objects. Fields that nobody describes are told once, as the object that they are in.
func (f *differing) members(path string, was, is map[string]any, at *spot) {
	names := make(map[string]any, len(was)+len(is))
	maps.Copy(names, was)
	maps.Copy(names, is)
	unnamed := false
	for _, name := range slices.Sorted(maps.Keys(names)) {
		below, before, after := at.member(name), memberOf(was, name), memberOf(is, name)
		switch {
		case below == nil || !below.unknown:
			f.walk(document.Member(path, name), before, after, below)
		case !unnamed && !reflect.DeepEqual(before, after):
			unnamed = true
			f.walk(path, before, after, below)
		}
	}
}

// together says whether two values are of one form, or one of them is absent.
func together(old, next any, was, is bool) bool {
	return was && is || was && isAbsent(next) || is && isAbsent(old)
}

func isAbsent(v any) bool {
	_, none := v.(absent)
	return none
}

func memberOf(m map[string]any, name string) any {
	if v, has := m[name]; has {
		return v
	}
	return absent{}
}

func itemOf(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return absent{}
}

func (f *differing) value(path string, old, next any) {
	field := JournalField{Path: path}
	field.Old, field.Cut = brief(old)
	var cut bool
	field.New, cut = brief(next)
	field.Cut = field.Cut || cut
	f.add(field)
}

func (f *differing) add(field JournalField) {
	if len(field.Path) > journalPath {
		field.Path = strings.ToValidUTF8(field.Path[:journalPath], "") + "…"
	}
	f.size += len(field.Path) + len(field.Old) + len(field.New)
	if len(f.all) == journalFields || f.size > journalBytes {
		f.more = true
		return
	}
	f.all = append(f.all, field)
}

// brief is a value in JSON; of a long one the beginning, as text.
func brief(v any) (json.RawMessage, bool) {
	if isAbsent(v) {
		return nil, false
	}
	text := plainJSON(v)
	if len(text) <= journalValue {
		return text, false
	}
	return plainJSON(strings.ToValidUTF8(string(text[:journalValue]), "") + "…"), true
}

// plainJSON leaves alone what HTML escapes.
func plainJSON(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil
	}
	return bytes.TrimSpace(b.Bytes())
}
