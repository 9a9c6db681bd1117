package desk

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Bounds on a list: how many objects and how many bytes of them are in one answer. What is left is asked for by continue.
const (
	MaxListed      = 5000
	MaxListedBytes = 4 << 20
)

// pageStep is how many objects are read from the database at a time.
const pageStep = 128

// gather reads objects until it has o.Limit of them, or as many as most bytes hold. An object larger than that is refused.
func (d *Desk) gather(ctx context.Context, kind string, o manifest.ListOptions, most int) (ctl.Page, error) {
	page := ctl.Page{Items: []json.RawMessage{}, Continue: o.Continue}
	limit, step, size := o.Limit, pageStep, 0
	for len(page.Items) < limit {
		o.Limit, o.Continue = min(step, limit-len(page.Items)), page.Continue
		objects, next, err := d.store.List(ctx, kind, o)
		if err != nil {
			return ctl.Page{}, err
		}
		items, bytes, err := encoded(objects)
		if err != nil {
			return ctl.Page{}, err
		}
		if size+bytes > most {
			switch {
			case len(objects) > 1:
				step = max(1, len(objects)/2)
				continue
			case len(page.Items) == 0:
				one := objects[0].Metadata
				return ctl.Page{}, ctl.Refuse(http.StatusRequestEntityTooLarge, "", "%s %s/%s has %d bytes, and an answer at most %d: get it by itself, over HTTP",
					kind, one.Namespace, one.Name, bytes, most)
			}
			return page, nil
		}
		size += bytes
		page.Items, page.Continue = append(page.Items, items...), next
		if next == "" {
			break
		}
	}
	return page, nil
}

// encoded is objects in JSON, and how long they are with the commas between them.
func encoded(objects []manifest.Object) (items []json.RawMessage, bytes int, err error) {
	for _, o := range objects {
		data, err := json.Marshal(o)
		if err != nil {
			return nil, 0, err
		}
		items = append(items, data)
		bytes += len(data) + 1
	}
	return items, bytes, nil
}

// Query is the part of the list that was asked for, from the database, in at most so many bytes.
func (d *Desk) Query(ctx context.Context, q ctl.Query, most int) (ctl.Page, error) {
	switch {
	case q.Limit < 0 || q.Limit > MaxListed:
		return ctl.Page{}, ctl.Refuse(http.StatusUnprocessableEntity, "limit", "%d: want 1 to %d, or 0 for %d", q.Limit, MaxListed, defaultListed)
	case q.Limit == 0:
		q.Limit = defaultListed
	}
	o := manifest.ListOptions{Namespace: q.Namespace, Selector: q.Selector, Continue: q.Continue, Limit: q.Limit}
	return bounded(ctx, d, operation{name: "list"}, func(ctx context.Context) (ctl.Page, error) {
		page, err := d.gather(ctx, q.Kind, o, most)
		if isNotFound(err) {
			return page, noKind(q.Kind)
		}
		return page, refused(err)
	})
}

// defaultListed is how many objects a page has where none is asked for.
const defaultListed = 500
