package manifest

import (
	"context"
	"encoding/json"
)

// InvalidateCache announces what a change of an object would, without writing it: for what has changed behind the broker's back.
// The object need not exist. kind is any name of a kind. Ticket and token are as with Apply: the announcement is a row in the
// database first.
//
// Without a name it is about all objects of the kind, in the namespace or, without one too, in all of them: it makes stale what it
// would for each of them, and for each that is referred to and not there. That is the collection, what the kind says of those that
// are stored (over 1,000 targets, their families and functions), and what refers to any of them, directly or through others (over
// 1,000 objects, their families). It reads all of them, so it takes as long as they are many. One event is about the kind, without a
// name; receivers with ForKinds get it. A relay of an older version that works on the same database takes no manifest without a name and would
// leave all of it for later, so a second event, which is about no manifest, names the same tags: these receivers are called twice.
func (s *Store) InvalidateCache(ctx context.Context, kind, namespace, name string) (Result[json.RawMessage], error) {
	r, err := s.invalidate(ctx, kind, namespace, name)
	return r, s.refuse(ctx, verbInvalidate, deniedOne(kind, namespace, name), err)
}

func (s *Store) invalidate(ctx context.Context, kind, namespace, name string) (Result[json.RawMessage], error) {
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
