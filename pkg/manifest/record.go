package manifest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"time"
)

// ident is what tells an object from all others. The family stands for the kind: two kinds never share one.
type ident struct{ family, namespace, name string }

func (i ident) tag() string { return i.family + ":" + i.namespace + "/" + i.name }

// compare orders objects as a list does; kinds come before everything that they may describe.
func (i ident) compare(j ident) int {
	if a, b := i.family == kindFamily, j.family == kindFamily; a != b {
		if a {
			return -1
		}
		return 1
	}
	for _, c := range [...][2]string{{i.family, j.family}, {i.namespace, j.namespace}, {i.name, j.name}} {
		if c[0] != c[1] {
			if c[0] < c[1] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// record is an object as it stands in the database. Its kind and apiVersion are those it was last applied with: who reads it
// under a later version of its kind gets that one's (as).
type record struct {
	Object
	version int64 // the resourceVersion as a number
}

// as is the object of a record, under the kind as it is now.
func (r *record) as(s *shape) Object {
	o := r.Object
	o.APIVersion, o.Kind = s.apiVersion, s.kind
	return o
}

const recordColumns = "kind, namespace, name, api_version, uid, generation, version, created, labels, annotations, spec, status"

// scan reads one row of recordColumns.
func (r *record) scan(scan func(...any) error) error {
	var (
		created                           int64
		labels, annotations, spec, status []byte
	)
	m := &r.Metadata
	if err := scan(&r.Kind, &m.Namespace, &m.Name, &r.APIVersion, &m.UID, &m.Generation, &r.version, &created,
		&labels, &annotations, &spec, &status); err != nil {
		return err
	}
	m.ResourceVersion = strconv.FormatInt(r.version, 10)
	m.Created = time.Unix(created, 0).UTC()
	if err := readPairs(m, labels, annotations); err != nil {
		return &Error{Kind: r.Kind, Namespace: m.Namespace, Name: m.Name, Field: "metadata", Reason: "is damaged in the database", Err: err}
	}
	r.Spec = spec
	if len(status) > 0 {
		r.Status = status
	}
	return nil
}

// readPairs reads labels and annotations; text of no length is none.
func readPairs(m *Metadata, labels, annotations []byte) (err error) {
	if len(labels) > 0 {
		err = json.Unmarshal(labels, &m.Labels)
	}
	if len(annotations) > 0 && err == nil {
		err = json.Unmarshal(annotations, &m.Annotations)
	}
	return err
}

// find reads an object; nil when there is none.
func find(ctx context.Context, q querier, id ident) (*record, error) {
	var r record
	row := q.QueryRowContext(ctx, "SELECT "+recordColumns+" FROM lethe_manifests WHERE family = $1 AND namespace = $2 AND name = $3",
		id.family, id.namespace, id.name)
	switch err := r.scan(row.Scan); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, broken(err)
	}
	return &r, nil
}

// insert writes an object that is not there; false when it is there by now.
func insert(ctx context.Context, tx *sql.Tx, id ident, o Object, version int64) (bool, error) {
	labels, annotations := textOf(o.Metadata.Labels), textOf(o.Metadata.Annotations)
	return one(tx.ExecContext(ctx, "INSERT INTO lethe_manifests (family, "+recordColumns+") "+
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
		id.family, o.Kind, id.namespace, id.name, o.APIVersion, o.Metadata.UID, o.Metadata.Generation, version,
		o.Metadata.Created.Unix(), labels, annotations, string(o.Spec), string(o.Status)))
}

// update replaces an object of a version; false when it has another by now, or is gone.
func update(ctx context.Context, tx *sql.Tx, id ident, o Object, old, version int64) (bool, error) {
	labels, annotations := textOf(o.Metadata.Labels), textOf(o.Metadata.Annotations)
	return one(tx.ExecContext(ctx, "UPDATE lethe_manifests SET kind = $1, api_version = $2, generation = $3, version = $4, "+
		"labels = $5, annotations = $6, spec = $7, status = $8 WHERE family = $9 AND namespace = $10 AND name = $11 AND version = $12",
		o.Kind, o.APIVersion, o.Metadata.Generation, version, labels, annotations, string(o.Spec), string(o.Status),
		id.family, id.namespace, id.name, old))
}

// remove deletes an object of a version; false as with update.
func remove(ctx context.Context, tx *sql.Tx, id ident, old int64) (bool, error) {
	return one(tx.ExecContext(ctx, "DELETE FROM lethe_manifests WHERE family = $1 AND namespace = $2 AND name = $3 AND version = $4",
		id.family, id.namespace, id.name, old))
}

// one says whether a statement changed a row.
func one(r sql.Result, err error) (bool, error) {
	if err != nil {
		return false, broken(err)
	}
	n, err := r.RowsAffected()
	return n == 1, broken(err)
}

// textOf is labels or annotations as they are stored, names in order; nothing for none.
func textOf(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	text, _ := json.Marshal(m) //nolint:errchkjson // a map of text
	return string(text)
}

// sameSpec, sameMeta: what a comparison of the stored and the applied object is about. Specs are canonical.
func sameSpec(a, b *Object) bool { return bytes.Equal(a.Spec, b.Spec) }

func sameMeta(a, b *Object) bool {
	return maps.Equal(a.Metadata.Labels, b.Metadata.Labels) && maps.Equal(a.Metadata.Annotations, b.Metadata.Annotations)
}

// broken is an error of the database.
func broken(err error) error {
	if err == nil || errors.As(err, new(*Error)) {
		return err
	}
	return &brokenError{err}
}

// brokenError is what broken makes.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return "manifest: database: " + e.err.Error() }

// Unwrap returns the error inside.
func (e *brokenError) Unwrap() error { return e.err }
