package manifest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// MaxStatus is the most bytes of JSON a status has.
const MaxStatus = 256 << 10

// setStatus replaces the status of an object; nil takes it away.
func (s *Store) setStatus(ctx context.Context, kind, namespace, name string, status json.RawMessage) (Result[json.RawMessage], error) {
	if bytes.Equal(status, []byte("null")) {
		status = nil
	}
	return only(s.write(ctx, false, func(ctx context.Context, q querier) (*plan, error) {
		c, p, err := s.planOne(ctx, q, kind, namespace, name)
		if err != nil {
			return nil, err
		}
		switch {
		case c.old == nil:
			return nil, s.notFound(c)
		case len(status) > MaxStatus:
			return nil, of(c.next, &Error{Field: "status", Reason: fmt.Sprintf("has %d bytes, at most %d are allowed", len(status), MaxStatus)})
		case bytes.Equal(c.old.Status, status):
			c.action = Unchanged
			return p, nil
		}
		c.action, c.next.Status = Configured, status
		return p, c.ask()
	}))
}
