package manifest

import (
	"context"
	"encoding/json"
	"fmt"
)

// Delete deletes an object; [ErrNotFound] when there is none, and then nothing is announced. kind is any name of a kind, an empty
// namespace is [DefaultNamespace]. A kind that has objects can't be deleted: [ErrConflict]. The result carries the object as it
// was, under the resourceVersion of its end; ticket and token are as with Apply.
func (s *Store) Delete(ctx context.Context, kind, namespace, name string) (Result[json.RawMessage], error) {
	r, err := only(s.write(ctx, false, func(ctx context.Context, q querier) (*plan, error) {
		c, p, err := s.planOne(ctx, q, kind, namespace, name)
		if err != nil {
			return nil, err
		}
		if c.old == nil {
			return nil, s.notFound(c)
		}
		c.action = Deleted
		return p, c.ask()
	}))
	return r, s.refuse(ctx, verbDelete, deniedOne(kind, namespace, name), err)
}

// planOne is a plan for one object that is there or not.
func (s *Store) planOne(ctx context.Context, q querier, kind, namespace, name string) (*change, *plan, error) {
	sh := s.kinds.typedNamed(kind)
	p := &plan{kinds: map[string]int64{}}
	if sh == nil {
		var (
			version int64
			err     error
		)
		if sh, version, err = s.storedNamed(ctx, q, kind); err != nil {
			return nil, nil, err
		}
		if sh == nil {
			return nil, nil, s.unknownKind(kind)
		}
		p.kinds[sh.family] = version
	}
	id, err := identOf(sh, namespace, name)
	if err != nil {
		return nil, nil, err
	}
	c := &change{shape: sh, id: id}
	if c.old, err = find(ctx, q, c.id); err != nil {
		return nil, nil, err
	}
	if c.old != nil {
		c.next = c.old.as(sh)
	} else {
		c.next = Object{APIVersion: sh.apiVersion, Kind: sh.kind, Metadata: Metadata{Namespace: id.namespace, Name: id.name}}
	}
	p.changes = []*change{c}
	return c, p, nil
}

// identOf checks the names of one object.
func identOf(sh *shape, namespace, name string) (ident, error) {
	if namespace == "" {
		namespace = DefaultNamespace
	}
	m := Metadata{Namespace: namespace, Name: name}
	return ident{sh.family, namespace, name}, of(Object{Kind: sh.kind, Metadata: m}, m.check())
}

func (s *Store) notFound(c *change) error {
	return &Error{Kind: c.shape.kind, Namespace: c.id.namespace, Name: c.id.name, Reason: "is not there", Err: ErrNotFound}
}

// only is the result of a write of one object.
func only(all []Result[json.RawMessage], err error) (Result[json.RawMessage], error) {
	if err != nil || len(all) == 0 {
		return Result[json.RawMessage]{}, err
	}
	return all[0], nil
}

// noObjects refuses to delete a kind that has some.
func (w *writing) noObjects(ctx context.Context, q querier, c *change) error {
	var n int
	if err := q.QueryRowContext(ctx, "SELECT count(*) FROM lethe_manifests WHERE family = $1", c.id.name).Scan(&n); err != nil {
		return broken(err)
	}
	if n > 0 {
		return of(c.next, &Error{Reason: fmt.Sprintf("there are %d objects of this kind; delete them first", n), Err: ErrConflict})
	}
	return nil
}
