package manifest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/lethe-cache/lethe/internal/depend"
)

// kindFamily is that of the manifests that describe kinds.
const kindFamily = "kind"

// compiledMost stored kinds are kept ready to use.
const compiledMost = 1024

// registry knows the kinds: the typed ones of this program, and what was made of stored ones.
type registry struct {
	content func(spec string) string // of a stored kind

	mu       sync.RWMutex        // guards what follows
	typed    map[string]*shape   // by each of their names, in lower case
	shapes   []*shape            // the same, each once
	stored   map[string]*shape   // of stored kinds, by their content
	shadowed map[string]struct{} // stored kinds that a typed one hides, as far as that was logged
}

// newRegistry makes a registry; content is that of the engine.
func newRegistry(content func(spec string) string) *registry {
	r := &registry{content: content, typed: map[string]*shape{}, stored: map[string]*shape{}, shadowed: map[string]struct{}{}}
	kind := kindKind()
	for _, name := range allNames(kind) {
		r.typed[name] = kind
	}
	r.shapes = append(r.shapes, kind)
	return r
}

// allNames of a kind, in lower case, each once.
func allNames(s *shape) []string {
	names := slices.Clone(s.names())
	slices.Sort(names)
	return slices.Compact(names)
}

// add registers a typed kind; the error names the one that has a name of it already.
func (r *registry) add(s *shape) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.clash(s); err != nil {
		return err
	}
	for _, name := range allNames(s) {
		r.typed[name] = s
	}
	r.shapes = append(r.shapes, s)
	return nil
}

// check refuses a kind that has a name of a typed one.
func (r *registry) check(s *shape) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.clash(s)
}

func (r *registry) clash(s *shape) error {
	for _, name := range allNames(s) {
		if other := r.typed[name]; other != nil {
			return &Error{Field: "spec.names", Reason: fmt.Sprintf("%q is a name of the kind %s already, which is registered in this program", name, other.kind)}
		}
	}
	return nil
}

// common is a name that two kinds share; empty when there is none.
func common(a, b *shape) string {
	names := allNames(b)
	for _, name := range allNames(a) {
		if slices.Contains(names, name) {
			return name
		}
	}
	return ""
}

// typedNamed is the typed kind of a name, in any case; nil when there is none.
func (r *registry) typedNamed(name string) *shape {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.typed[strings.ToLower(name)]
}

// shapeOf is the kind that a manifest of kind Kind describes. It is made once for a content and not for a version: a database that
// was restored from a backup draws the numbers of versions again, and what it has under one of them need not be what was there.
func (r *registry) shapeOf(k *record) (*shape, error) {
	content := r.content(string(k.Spec))
	if s := r.made(content); s != nil {
		return s, nil
	}
	s, err := stored(k.Object)
	if err != nil {
		return nil, of(k.Object, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for old := range r.stored {
		if len(r.stored) < compiledMost {
			break
		}
		delete(r.stored, old) // whichever: it is made again when it is asked for
	}
	r.stored[content] = s
	return s, nil
}

// made is the stored kind of a content, if it was made before.
func (r *registry) made(content string) *shape {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.stored[content]
}

// storedNamed finds a stored kind by any of its names, and the version it is at; nil when there is none. What was compiled is
// not read again.
func (s *Store) storedNamed(ctx context.Context, q querier, name string) (*shape, int64, error) {
	var (
		family, content string
		version         int64
	)
	err := q.QueryRowContext(ctx, "SELECT m.name, m.version, "+s.db.content+" FROM lethe_manifest_names n JOIN lethe_manifests m "+
		"ON m.family = 'kind' AND m.namespace = 'default' AND m.name = n.family WHERE n.name = $1", strings.ToLower(name)).Scan(&family, &version, &content)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, 0, nil
	case err != nil:
		return nil, 0, broken(err)
	}
	if sh := s.kinds.made(content); sh != nil {
		return sh, version, nil
	}
	k, err := find(ctx, q, ident{kindFamily, DefaultNamespace, family})
	if k == nil || err != nil {
		return nil, 0, err
	}
	sh, err := s.kinds.shapeOf(k)
	return sh, k.version, err
}

// kindFor finds a kind by any of its names, for a read: it records what the answer depends on, whatever it is.
func (s *Store) kindFor(ctx context.Context, name string) (*shape, error) {
	if sh := s.kinds.typedNamed(name); sh != nil {
		return sh, nil // until the program ends
	}
	sh, _, err := s.storedNamed(ctx, s.db.read, name)
	if sh == nil || err != nil { // a kind that comes may bring any name
		depend.On(ctx, kindFamily+":*", kindFamily+":"+DefaultNamespace+"/"+strings.ToLower(name))
		if err == nil {
			err = s.unknownKind(name)
		}
		return nil, err
	}
	// What an object refers to is read by its kind's templates: with other templates other labels are recorded.
	depend.On(ctx, kindFamily+":"+DefaultNamespace+"/"+sh.family)
	return sh, nil
}

func (s *Store) unknownKind(name string) error {
	return &Error{Field: "kind", Reason: quote(name) + " is no kind that is known here; apply a manifest of kind Kind that describes it first, or look at the list of kinds", Err: ErrNotFound}
}
