package manifest

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of what is written down of refusals: a caller that is refused all the time must not fill the table. Lines over it are
// counted, and the next one that is written tells how many.
const (
	refusalsEvery    = 20.0            // a second, of this process
	refusalsBurst    = 200.0           // at once
	refusalFor       = 2 * time.Second // the transaction of one
	refusalProblems  = 8               // of one manifest
	refusalText      = 512             // of one problem
	anotherIsRefused = "another manifest of the same text was refused"
)

// denied is a manifest that was asked for and refused.
type denied struct {
	object Object
	number int // of the document, from 1; 0 = it came from no text
}

// deniedOf are the manifests of an apply.
func deniedOf(all []applied) []denied {
	them := make([]denied, len(all))
	for i := range all {
		them[i].object = all[i].object
		if at := all[i].at; at != nil {
			them[i].number = at.Index + 1
		}
	}
	return them
}

// deniedOne is one by its names.
func deniedOne(kind, namespace, name string) []denied {
	return []denied{{object: Object{Kind: kind, Metadata: Metadata{Namespace: namespace, Name: name}}}}
}

// refuse writes down that something was refused, in a transaction of its own; it returns err. An error of the database is none,
// and what can't be written down is logged.
func (s *Store) refuse(ctx context.Context, verb string, them []denied, err error) error {
	if s.journal == nil || err == nil || !refusal(err) || errors.Is(err, ErrUnknown) {
		return err
	}
	ctx, end, closed := s.enter(context.WithoutCancel(ctx))
	if closed != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, refusalFor)
	defer cancel()
	if wrong := s.noteRefusal(ctx, verb, them, err); wrong != nil {
		s.log.Warn("manifest: a refusal is not in the journal", "verb", verb, "error", wrong)
	}
	return err
}

func (s *Store) noteRefusal(ctx context.Context, verb string, them []denied, err error) error {
	most, left := s.journal.admit(len(them), time.Now())
	if most == 0 {
		return nil
	}
	said := spoken(ctx, time.Now())
	said.Verb, said.Action = verb, Refused
	describes := newDescriber(s, them)
	found, freely := make([]described, len(them)), true
	for i, d := range them {
		var failed error
		if found[i], failed = describes.what(ctx, verb, d); failed != nil {
			return failed
		}
		freely = freely && found[i].known.freely
	}
	var lines []journalRow
	for i, d := range them[:most] {
		if found[i].id == (ident{}) { // nobody could ask for the line
			continue
		}
		line := said
		line.Kind, line.Namespace, line.Name = found[i].kind, found[i].id.namespace, found[i].id.name
		line.Problems = d.problems(err, found[i].known, freely)
		line.Left, left = left, 0
		lines = append(lines, journalRow{found[i].id, line})
	}
	select {
	case s.db.turns <- struct{}{}:
		defer func() { <-s.db.turns }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return writeJournal(ctx, s.db.write, lines)
}

// admit says how many of n refusals may be written down, and how many before them were not.
func (j *journal) admit(n int, now time.Time) (most, left int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.allowed = min(refusalsBurst, j.allowed+now.Sub(j.counted).Seconds()*refusalsEvery)
	j.counted = now
	most = max(0, min(n, int(j.allowed)))
	j.allowed -= float64(most)
	if most > 0 {
		left, j.left = j.left, 0
	}
	j.left += n - most
	return most, left
}

// describer finds out which kinds what was refused is of, and what may be quoted of it.
type describer struct {
	store *Store
	kinds map[string]*shape // by the name that was given; nil = not known
	mine  bool              // the text has kinds: what stands in the store may be another
}

func newDescriber(s *Store, them []denied) *describer {
	d := &describer{store: s, kinds: map[string]*shape{}}
	for _, one := range them {
		d.mine = d.mine || one.object.Kind == kindOfKinds
	}
	return d
}

// described is which object a line is about, and how its problems are told; the zero ident has no line.
type described struct {
	id    ident
	kind  string
	known quoting
}

func (d *describer) what(ctx context.Context, verb string, one denied) (described, error) {
	o := one.object
	var err error
	sh, asked := d.kinds[o.Kind]
	if !asked {
		if sh = d.store.kinds.typedNamed(o.Kind); sh == nil {
			if sh, _, err = d.store.storedNamed(ctx, d.store.db.read, o.Kind); err != nil {
				return described{}, err
			}
		}
		d.kinds[o.Kind] = sh
	}
	id := ident{namespace: o.Metadata.Namespace, name: o.Metadata.Name}
	if id.namespace == "" && (id.name != "" || verb != verbInvalidate) {
		id.namespace = DefaultNamespace
	}
	whole := id.name == "" && verb == verbInvalidate
	if !whole && !isName(id.name) || id.namespace != "" && !isName(id.namespace) {
		return described{}, nil
	}
	kind, known := o.Kind, quoting{}
	switch {
	case sh == nil:
		if id.family, err = d.store.familyOf(ctx, o.Kind); err != nil {
			return described{}, nil //nolint:nilerr // it is no kind at all
		}
	case sh.family == kindFamily:
		// What is stored of the kind that it describes may be quoted as well.
		before, _, err := d.store.storedNamed(ctx, d.store.db.read, id.name)
		if err != nil {
			return described{}, err
		}
		id.family, kind = sh.family, sh.kind
		known.freely = !bytes.Contains(o.Spec, []byte(secretKeyword)) && !before.hides()
	default:
		id.family, kind = sh.family, sh.kind
		known.secrets, known.freely = sh.secrets, len(sh.secrets) == 0 && (!d.mine || sh.version == "")
	}
	return described{id, kind, known}, nil
}

// hides says whether a kind marks anything, of specs or of statuses.
func (s *shape) hides() bool {
	return s != nil && (len(s.secrets) > 0 || bytes.Contains(s.statusSchema, []byte(secretKeyword)))
}

func isName(s string) bool { return objectName("", s) == nil }

// quoting is how problems are told: freely, or without a word of what was given. Nobody can tell where a text that was made from a
// manifest has a secret in it, whole or in part.
type quoting struct {
	freely  bool
	secrets secrets
}

// problems of err that are about d. One that names no document may be about any of them: freely says that all may be quoted.
func (d *denied) problems(err error, q quoting, freely bool) (all []JournalProblem) {
	for _, e := range Problems(err) {
		elsewhere := e.Document != 0 && d.number != 0 && e.Document != d.number
		// Items of a List share the number of their document.
		other := d.number != 0 && e.Name != "" && (e.Kind != d.object.Kind || e.Name != d.object.Metadata.Name)
		if elsewhere || other || len(all) == refusalProblems {
			continue
		}
		p := JournalProblem{Field: e.Field, Text: e.problem()}
		if !q.freely || !freely && (e.Document == 0 || e.Name == "") {
			p.Field, p.Text = q.field(e.Field), sortOf(e)
		}
		p.Field, p.Text = cutText(p.Field, journalPath), cutText(p.Text, refusalText)
		all = append(all, p)
	}
	switch {
	case all != nil:
	case len(Problems(err)) > 0:
		all = []JournalProblem{{Text: anotherIsRefused}}
	default:
		all = []JournalProblem{{Text: sortOf(err)}}
	}
	return all
}

// field is as much of a field's path as may be told.
func (q quoting) field(path string) string {
	if len(q.secrets) > 0 {
		told, _ := q.secrets.field(path)
		return told
	}
	if len(path) >= 4 && path[:4] == "spec" { // of a kind that is not known
		return "spec"
	}
	return path
}

// sortOf says of what sort a refusal is, and nothing of what was given.
func sortOf(err error) string {
	switch {
	case errors.Is(err, ErrConflict):
		return "it conflicts with what is stored"
	case errors.Is(err, ErrNotFound):
		return "it is not there"
	case errors.Is(err, event.ErrInvalid), errors.Is(err, ErrInvalid):
		return "it is not valid (the text is kept out of the journal: the kind has secrets, or is not known)"
	}
	return "it was refused"
}
