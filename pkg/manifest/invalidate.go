package manifest

import (
	"context"
	"encoding/json"

	"github.com/lethe-cache/lethe/pkg/event"
)

// InvalidateCache announces what a change of an object would, without writing it: for what has changed behind the broker's back.
// The object need not exist. Without a name it announces the whole collection, that of the namespace or, without one too, of all
// of them. kind is any name of a kind. Ticket and token are as with Apply: the announcement is a row in the database first.
func (s *Store) InvalidateCache(ctx context.Context, kind, namespace, name string) (Result[json.RawMessage], error) {
	if name == "" {
		return s.invalidateAll(ctx, kind, namespace)
	}
	return only(s.write(ctx, false, func(ctx context.Context, q querier) (*plan, error) {
		c, p, err := s.planOne(ctx, q, kind, namespace, name)
		if err != nil {
			return nil, err
		}
		c.action = Invalidated
		return p, c.ask()
	}))
}

func (s *Store) invalidateAll(ctx context.Context, kind, namespace string) (Result[json.RawMessage], error) {
	var r Result[json.RawMessage]
	w, err := s.do(ctx, false, func(ctx context.Context, q querier) (*plan, error) {
		sh := s.kinds.typedNamed(kind)
		if sh == nil {
			var err error
			if sh, _, err = s.storedNamed(ctx, q, kind); err != nil {
				return nil, err
			}
			if sh == nil {
				return nil, s.unknownKind(kind)
			}
		}
		if namespace != "" {
			if err := dns("metadata.namespace", namespace); err != nil {
				return nil, of(Object{Kind: sh.kind}, err)
			}
		}
		r.Manifest = Object{APIVersion: sh.apiVersion, Kind: sh.kind, Metadata: Metadata{Namespace: namespace}}
		return &plan{targets: []event.Target{tagged(sh.family, namespace, "")}}, nil
	})
	if err != nil {
		return Result[json.RawMessage]{}, err
	}
	r.Action, r.Ticket, r.Token = Invalidated, w.ticket, w.token
	return r, nil
}
