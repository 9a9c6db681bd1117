package desk

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/internal/document"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// SetStatus reports the status of an object.
func (d *Desk) SetStatus(ctx context.Context, c ctl.StatusChange) (ctl.Written, error) {
	if len(c.Status) == 0 {
		return ctl.Written{}, ctl.Refuse(http.StatusUnprocessableEntity, "status", "status: is missing; give null to take the status away")
	}
	return bounded(ctx, d, operation{"status", true}, func(ctx context.Context) (ctl.Written, error) {
		if c.APIVersion != "" {
			k, err := d.Kind(ctx, c.Kind)
			if err == nil && k.APIVersion != c.APIVersion {
				err = ctl.Refuse(http.StatusUnprocessableEntity, "apiVersion", "apiVersion: is %q; a %s has %s", c.APIVersion, k.Kind, k.APIVersion)
			}
			if err != nil {
				return ctl.Written{}, err
			}
		}
		r, err := d.store.SetStatus(ctx, c.Kind, orDefault(c.Namespace), c.Name.Name, c.Status, manifest.IfVersion(c.ResourceVersion), manifest.IfUID(c.UID))
		if isNotFound(err) {
			return ctl.Written{}, d.missing(ctx, c.Name)
		}
		if err != nil {
			return ctl.Written{}, refused(err)
		}
		return written(r), nil
	})
}

// PutStatus reports the status of the object n. It stands in a manifest, YAML or JSON, of which all else may be left out; what names
// an object there has to name this one.
func (d *Desk) PutStatus(ctx context.Context, n ctl.Name, text []byte) (ctl.Written, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return ctl.Written{}, ctl.Refuse(http.StatusBadRequest, "status", "the body is empty: send what is reported, like {\"status\": {\"phase\": \"ready\"}}, or {\"status\": null} to take it away")
	}
	all, err := document.Read(text)
	if err != nil {
		no := ctl.Refuse(http.StatusBadRequest, "", "%s", strings.TrimPrefix(err.Error(), "document: "))
		var at *document.Error
		if errors.As(err, &at) {
			no.Problem = ctl.Problem{Text: at.Reason, Field: at.Field, Line: at.Line, Document: at.Document + 1}
		}
		return ctl.Written{}, no
	}
	if len(all) > 1 {
		return ctl.Written{}, ctl.Refuse(http.StatusUnprocessableEntity, "", "the text has %d documents; give one, with the status of this object", len(all))
	}
	c, err := ctl.ReadStatus(all[0])
	if err != nil {
		return ctl.Written{}, err
	}
	if c.Kind != "" { // by the letter, as in what is applied
		k, err := d.Kind(ctx, n.Kind)
		if err != nil {
			return ctl.Written{}, err
		}
		n.Kind = k.Kind
	}
	for _, given := range [][3]string{{"kind", c.Kind, n.Kind}, {"metadata.namespace", c.Namespace, n.Namespace}, {"metadata.name", c.Name.Name, n.Name}} {
		if field, is, want := given[0], given[1], given[2]; is != "" && is != want {
			no := ctl.Refuse(http.StatusUnprocessableEntity, field, "%s: is %q, and the address names %q: leave one of them out", field, is, want)
			no.Line, no.Document = all[0].Line(field), 1
			return ctl.Written{}, no
		}
	}
	c.Name = n
	return d.SetStatus(ctx, c)
}
