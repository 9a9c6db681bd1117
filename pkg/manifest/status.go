package manifest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
)

// MaxStatus is the most bytes of JSON a status has.
const MaxStatus = 256 << 10

// StatusOption of [Store.SetStatus].
type StatusOption interface{ status(given *Metadata) }

type statusOption func(*Metadata)

func (f statusOption) status(given *Metadata) { f(given) }

// IfVersion sets the status only of an object that is at this resourceVersion, else it is [ErrConflict]; an empty one is none.
func IfVersion(resourceVersion string) StatusOption {
	return statusOption(func(m *Metadata) { m.ResourceVersion = resourceVersion })
}

// IfUID sets the status only of the object with this uid, and not of one that was created under its name since: that is
// [ErrConflict]. An empty one is none.
func IfUID(uid string) StatusOption { return statusOption(func(m *Metadata) { m.UID = uid }) }

// SetStatus replaces what is reported about an object: a value with a JSON form of at most [MaxStatus] bytes, nil for none. Of a stored
// kind it is an object, and fits the statusSchema of the kind if there is one; of a typed kind it is any value. Kinds themselves have
// none. kind is any name of a kind, an empty namespace is [DefaultNamespace].
//
// Spec, labels and generation stay, the resourceVersion rises, and the change is announced like one of labels: all that was computed
// from the object is stale. A status that is the same is Unchanged, and nothing is announced. Apply leaves the status alone. Of a
// SetStatus and an Apply at the same time neither undoes the other. [ErrNotFound] when there is no such object; without a
// precondition the last to report wins.
func (s *Store) SetStatus(ctx context.Context, kind, namespace, name string, status any, opts ...StatusOption) (Result[json.RawMessage], error) {
	text, err := json.Marshal(status)
	if err != nil {
		return Result[json.RawMessage]{}, &Error{Kind: clip(kind), Namespace: clip(namespace), Name: clip(name), Field: "status", Reason: "can't be written as JSON", Err: err}
	}
	var given Metadata
	for _, opt := range opts {
		opt.status(&given)
	}
	return only(s.write(ctx, false, func(ctx context.Context, q querier) (*plan, error) {
		c, p, err := s.planOne(ctx, q, kind, namespace, name)
		switch {
		case err != nil:
			return nil, err
		case c.old == nil:
			return nil, s.notFound(c)
		}
		if err := precondition(&given, c.old); err != nil {
			return nil, of(c.next, err)
		}
		if c.next.Status, err = c.shape.reported(text); err != nil {
			return nil, of(c.next, err)
		}
		if bytes.Equal(c.old.Status, c.next.Status) {
			c.action = Unchanged
			return p, nil
		}
		c.action = Configured
		return p, c.ask()
	}))
}

// reported is a status as it is stored: canonical, and what the kind says of it; nil for none.
func (s *shape) reported(status json.RawMessage) (json.RawMessage, error) {
	if len(status) == 0 || string(status) == "null" {
		return nil, nil
	}
	if len(status) > 4*MaxStatus { // before anything is made of it; canonical JSON may still be a good deal shorter
		return nil, statusSize(len(status))
	}
	text, err := canonicalField("status", status)
	if err == nil {
		err = statusSize(len(text))
	}
	if err != nil || s.reports == nil {
		return text, err
	}
	value, err := decoded(text)
	if err == nil {
		err = s.reports(value)
	}
	if err != nil {
		return nil, err
	}
	if text, err = encoded("status", value); err != nil {
		return nil, err
	}
	return text, statusSize(len(text)) // defaults have made it longer
}

func statusSize(n int) error {
	if n <= MaxStatus {
		return nil
	}
	return &Error{Field: "status", Reason: fmt.Sprintf("has %d bytes, at most %d are allowed; keep large things elsewhere and refer to them", n, MaxStatus)}
}

// reports checks a status of a stored kind and fills defaults; a nil schema takes any object.
func (s *schema) reports(status any) error {
	if _, ok := status.(map[string]any); !ok {
		return &Error{Field: "status", Reason: "has to be an object, or null for none"}
	}
	if s == nil {
		return nil
	}
	return s.conformAs("status", status)
}
