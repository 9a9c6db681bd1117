package manifest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// shape is a kind as the store works with it, typed or stored. It is not changed once made, and safe for concurrent use.
type shape struct {
	apiVersion, kind, plural string
	shortNames               []string
	family                   string // of its tags: the kind in lower case
	version                  string // of a stored kind: the resourceVersion it was read at when it was made; "" = typed
	schema                   json.RawMessage
	statusSchema             json.RawMessage // nil = none was given
	example                  json.RawMessage // a whole manifest
	secrets                  secrets         // the schema, where it marks fields as secret

	code     guard                                                    // what calls the functions of a Go kind
	spec     func(Object) (json.RawMessage, error)                    // checked, defaults filled, canonical
	reports  func(status any) error                                   // of a stored kind: a status checked, defaults filled; nil = any value
	retain   func(old, next json.RawMessage) (json.RawMessage, error) // of a Go kind: next with the fields of old that it does not know
	makes    func(Object) ([]event.Target, error)                     // what a change makes stale; nil = nothing
	mentions func(Object) ([]Reference, error)                        // namespaces as they were given; nil = nothing
}

// maxTargets bounds what one object makes stale, and what it refers to.
const maxTargets = 1_000

// prepare checks an object whole (metadata, spec) and returns it as it is to be stored: defaults filled, spec canonical.
// The error is an *Error that names the field, or several that are joined. What only a store can judge (uid, resourceVersion,
// generation, creationTimestamp, status) stays as it is.
func (s *shape) prepare(o Object) (Object, error) {
	if o.Metadata.Namespace == "" {
		o.Metadata.Namespace = DefaultNamespace
	}
	var bad problems
	bad.put(s.itself(o))
	bad.put(o.Metadata.check())
	if len(o.Spec) > 4*MaxSize { // before anything is made of it; canonical JSON may still be a good deal shorter
		bad.add("spec", "has %d bytes, at most %d are allowed", len(o.Spec), MaxSize)
		return Object{}, of(o, bad.err())
	}
	spec, err := s.spec(o)
	bad.put(err)
	if err := bad.err(); err != nil {
		return Object{}, of(o, err)
	}
	o.Spec = spec
	bad.put(size(o))
	if bad.err() == nil {
		bad.put(s.tells(o))
	}
	if err := bad.err(); err != nil {
		return Object{}, of(o, err)
	}
	return o, nil
}

func (s *shape) itself(o Object) error {
	var bad problems
	if o.APIVersion != s.apiVersion {
		bad.add("apiVersion", "%s; a %s has %s", missing(o.APIVersion), s.kind, s.apiVersion)
	}
	if o.Kind != s.kind {
		bad.add("kind", "%s; use %s", missing(o.Kind), s.kind)
	}
	return bad.err()
}

func missing(s string) string {
	if s == "" {
		return "is missing"
	}
	return "is " + quote(s)
}

// size is checked of what is stored, so that a form that is merely long-winded is no reason to refuse.
func size(o Object) error {
	n := len(o.Spec)
	for _, m := range []map[string]string{o.Metadata.Labels, o.Metadata.Annotations} {
		for name, value := range m {
			n += len(name) + len(value) + len(`"":"",`)
		}
	}
	if n > MaxSize {
		return &Error{Field: "spec", Reason: fmt.Sprintf("the manifest has %d bytes, at most %d are allowed; keep large things elsewhere and refer to them", n, MaxSize)}
	}
	return nil
}

// tells makes sure, before an object is stored, that what it makes stale and what it refers to can be told of it.
func (s *shape) tells(o Object) error {
	var bad problems
	_, err := s.stale(o)
	bad.put(err)
	_, err = s.references(o)
	bad.put(err)
	return bad.err()
}

// stale is what the kind says a change of o makes stale, besides the object and its collections.
func (s *shape) stale(o Object) ([]event.Target, error) {
	if s.makes == nil {
		return nil, nil
	}
	targets, err := s.makes(o)
	if err != nil {
		return nil, of(o, err)
	}
	var (
		bad  problems
		all  []event.Target
		seen = map[event.Target]bool{}
	)
	for _, t := range targets {
		if err := t.Err(); err != nil {
			return nil, of(o, because("", "what kind "+s.kind+" says a change makes stale is illegal", err))
		}
		if !seen[t] {
			seen[t], all = true, append(all, t)
		}
	}
	if len(all) > maxTargets {
		bad.add("", "a change makes %d targets stale, at most %d are allowed; use a prefix", len(all), maxTargets)
	}
	if err := bad.err(); err != nil {
		return nil, of(o, err)
	}
	return all, nil
}

// references is what o names; namespaces filled.
func (s *shape) references(o Object) ([]Reference, error) {
	if s.mentions == nil {
		return nil, nil
	}
	found, err := s.mentions(o)
	if err != nil {
		return nil, of(o, err)
	}
	var (
		bad  problems
		all  []Reference
		seen = map[Reference]bool{}
	)
	for _, r := range found {
		if r.Namespace == "" {
			r.Namespace = o.Metadata.Namespace
		}
		if seen[r] {
			continue
		}
		seen[r] = true
		if event.CheckKind(r.Kind) != nil || objectName("", r.Namespace) != nil || objectName("", r.Name) != nil {
			bad.add("", "refers to %s %s/%s, which is no legal name", clip(r.Kind), clip(r.Namespace), clip(r.Name))
			continue
		}
		all = append(all, r)
	}
	if len(all) > maxTargets {
		bad.add("", "refers to %d objects, at most %d are allowed", len(all), maxTargets)
	}
	if err := bad.err(); err != nil {
		return nil, of(o, err)
	}
	return all, nil
}

// matchName says whether text is the kind, its plural or one of its short names, in any case.
func matchName(s *shape, text string) bool {
	text = strings.ToLower(text)
	if text == s.family || text == s.plural {
		return true
	}
	for _, short := range s.shortNames {
		if text == short {
			return true
		}
	}
	return false
}

// names are all a kind goes by, in lower case.
func (s *shape) names() []string { return append([]string{s.family, s.plural}, s.shortNames...) }

// plural is what a kind's plural is where it was not given.
func plural(kind string) string {
	k := strings.ToLower(kind)
	switch {
	case strings.HasSuffix(k, "s"), strings.HasSuffix(k, "x"), strings.HasSuffix(k, "ch"), strings.HasSuffix(k, "sh"):
		return k + "es"
	case strings.HasSuffix(k, "y") && len(k) > 1 && !strings.ContainsRune("aeiou", rune(k[len(k)-2])):
		return k[:len(k)-1] + "ies"
	}
	return k + "s"
}

// checkNames refuses the names of a kind that are illegal or clash with each other.
func (s *shape) checkNames(in string) error {
	var bad problems
	if err := event.CheckKind(s.kind); err != nil {
		bad.put(refused(in+"kind", err))
	} else if s.kind == "List" || s.kind == kindOfKinds {
		bad.add(in+"kind", "%s is taken; use another name", s.kind)
	}
	bad.put(checkPlural(in+"plural", s.plural))
	const most = 8
	if len(s.shortNames) > most {
		bad.add(in+"shortNames", "are %d, at most %d are allowed", len(s.shortNames), most)
	}
	taken := map[string]string{s.plural: in + "plural", s.family: in + "kind"}
	for i, short := range s.shortNames {
		field := fmt.Sprintf("%sshortNames[%d]", in, i)
		bad.put(checkPlural(field, short))
		if other, clash := taken[short]; clash {
			bad.add(field, "%s is %s already", quote(short), other)
		}
		taken[short] = field
	}
	if s.plural == "list" || s.plural == "lists" {
		bad.add(in+"plural", "%s is taken; use another name", quote(s.plural))
	}
	return bad.err()
}
