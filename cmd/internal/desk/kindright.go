package desk

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/internal/document"
)

// Who asks on the subject of a kind may have the right to that kind alone: NATS has checked the subject, and nobody but the node can
// check that the question keeps to it.

// ofItsKind refuses a text with a manifest of another kind than that of the subject, items of lists as well. It reads the text
// as it is read to be applied, so that nothing can stand in it that is another kind there. What can't be read is refused there.
func ofItsKind(q ctl.Question) error {
	if q.Kind == "" {
		return nil
	}
	all, err := document.Read(q.Body)
	if err != nil {
		return nil //nolint:nilerr // the answer will be that
	}
	for _, d := range all {
		var (
			members map[string]json.RawMessage // a struct would take KIND for kind
			kind    string
		)
		read := json.Unmarshal(d.JSON, &members) == nil && json.Unmarshal(members["kind"], &kind) == nil
		if family := strings.ToLower(kind); !read || family != q.Kind {
			no := otherKind(q, kind)
			no.Document, no.Line = d.Index+1, d.Line("kind")
			return no
		}
	}
	return nil
}

// only refuses a question about another kind than that of the subject, and puts the kind's own name in place of a plural or a
// short name, which may be another kind's a moment later.
func (d *Desk) only(ctx context.Context, q ctl.Question, kind *string) error {
	if q.Kind == "" {
		return nil
	}
	k, err := d.Kind(ctx, *kind)
	if err != nil {
		return err
	}
	if family := strings.ToLower(k.Kind); family != q.Kind {
		return otherKind(q, k.Kind)
	}
	*kind = k.Kind
	return nil
}

func otherKind(q ctl.Question, kind string) *ctl.Refusal {
	const most = 80
	if len(kind) > most {
		kind = strings.ToValidUTF8(kind[:most], "") + "…"
	}
	return ctl.Refuse(http.StatusForbidden, "kind", "kind: is %q, and the subject of this request is for manifests of kind %q alone: nothing was done; "+
		"ask on the subject of that kind, or, of several kinds at once, on that of all kinds", kind, q.Kind)
}

func kindOfName(n *ctl.Name) *string { return &n.Kind }

// ofKind is an answer to a question that is a T in JSON, with a kind in it.
func ofKind[T, A any](d *Desk, kind func(*T) *string, answer func(context.Context, T) (A, error)) func(context.Context, ctl.Question) (any, error) {
	return func(ctx context.Context, q ctl.Question) (any, error) {
		var v T
		if err := read(q.Body, &v); err != nil {
			return nil, err
		}
		if err := d.only(ctx, q, kind(&v)); err != nil {
			return nil, err
		}
		return answer(ctx, v)
	}
}
