package manifest

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of what is announced of a whole kind.
const (
	mostClassTargets  = 1000 // of more, their families and functions instead
	mostClassFamilies = 100  // of more, everything
)

// class is all objects of a kind, or those of one of its namespaces.
type class struct {
	shape     *shape
	namespace string // empty = all
}

func (s *Store) invalidateAll(ctx context.Context, kind, namespace string) (Result[json.RawMessage], error) {
	w, err := s.do(ctx, false, func(ctx context.Context, q querier) (*plan, error) {
		p := &plan{kinds: map[string]int64{}}
		sh := s.kinds.typedNamed(kind)
		if sh == nil {
			var (
				version int64
				err     error
			)
			if sh, version, err = s.storedNamed(ctx, q, kind); err != nil {
				return nil, err
			}
			if sh == nil {
				return nil, s.unknownKind(kind)
			}
			p.kinds[sh.family] = version
		}
		if namespace != "" {
			if err := objectName("metadata.namespace", namespace); err != nil {
				return nil, of(Object{Kind: sh.kind}, err)
			}
		}
		p.class = &class{sh, namespace}
		var err error
		p.targets, err = p.class.stale(ctx, q)
		return p, err
	})
	if err != nil {
		return Result[json.RawMessage]{}, err
	}
	sh := w.plan.class.shape
	return Result[json.RawMessage]{
		Action: Invalidated, Ticket: w.ticket, Token: w.token,
		Manifest: Object{APIVersion: sh.apiVersion, Kind: sh.kind, Metadata: Metadata{Namespace: namespace}},
	}, nil
}

// stale is what the kind says that changes of its objects make stale: of all that are stored, a page at a time. Of too many targets
// it gives the families and functions only, of too many of those everything. An object that is applied meanwhile announces what it
// makes stale by itself, before and after.
func (c *class) stale(ctx context.Context, q querier) ([]event.Target, error) {
	if c.shape.makes == nil {
		return nil, nil
	}
	var all union
	for last, more := (ident{}), true; more; {
		var (
			page []record
			err  error
		)
		if page, more, err = after(ctx, q, c.shape.family, c.namespace, last, acceptPage); err != nil {
			return nil, err
		}
		for i := range page {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			o := page[i].as(c.shape)
			targets, err := c.shape.stale(o)
			if err != nil {
				return nil, of(o, err)
			}
			all.add(targets)
			last = page[i].ident(c.shape)
		}
	}
	return all.targets, nil
}

// union is what several objects make stale, each target once.
type union struct {
	targets []event.Target
	seen    map[event.Target]bool
	wide    bool // families and functions
}

func (u *union) add(targets []event.Target) {
	if u.seen == nil {
		u.seen = map[event.Target]bool{}
	}
	for _, t := range targets {
		if u.wide {
			t = widest(t)
		}
		if u.seen[t] || u.seen[event.All()] {
			continue
		}
		u.seen[t], u.targets = true, append(u.targets, t)
		switch {
		case !u.wide && len(u.targets) > mostClassTargets:
			before := u.targets
			*u = union{wide: true}
			u.add(before)
		case u.wide && len(u.targets) > mostClassFamilies:
			*u = union{wide: true}
			u.add([]event.Target{event.All()})
		}
	}
}

// widest is all that a target's subject may name.
func widest(t event.Target) event.Target {
	if family, ok := strings.CutPrefix(t.Subject(), "tag."); ok {
		return event.TagPrefix(family + ":")
	}
	if function, ok := strings.CutPrefix(t.Subject(), "fn."); ok {
		return event.Function(function)
	}
	return event.All()
}

// tag covers all of its objects, and its collections.
func (c *class) tag() event.Target {
	if c.namespace != "" {
		return event.TagPrefix(c.shape.family + ":" + c.namespace + "/")
	}
	return event.TagPrefix(c.shape.family + ":")
}

// event is about the class, on the subject of the kind.
func (c *class) event() event.Event {
	return event.Event{
		Type: event.TypeManifestInvalidated, Targets: []event.Target{c.tag()},
		Manifest: &event.Manifest{APIVersion: c.shape.apiVersion, Kind: c.shape.kind, Namespace: c.namespace, Action: string(Invalidated)},
	}
}

// referrers refer to any object of the class, be it there or not; one more than are announced one by one are enough.
func (c *class) referrers(ctx context.Context, q querier) ([]ident, error) {
	where, args := "to_family = $1", []any{c.shape.family}
	if c.namespace != "" {
		where, args = "to_family = $1 AND to_namespace = $2", append(args, c.namespace)
	}
	rows, err := q.QueryContext(ctx, "SELECT DISTINCT from_family, from_namespace, from_name FROM lethe_manifest_references WHERE "+where+
		" LIMIT "+strconv.Itoa(mostReferrers+1), args...)
	if err != nil {
		return nil, broken(err)
	}
	return idents(rows)
}
