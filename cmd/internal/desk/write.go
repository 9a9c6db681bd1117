package desk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/manifest"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// Apply applies a text of manifests, or says what it would do.
func (d *Desk) Apply(ctx context.Context, text []byte, dryRun bool) (ctl.Written, error) {
	do, o := d.store.Apply, operation{"apply", true}
	if dryRun {
		do, o = d.store.DryRun, operation{name: "dry run"}
	}
	return bounded(ctx, d, o, func(ctx context.Context) (ctl.Written, error) {
		results, err := do(ctx, text)
		if err != nil {
			return ctl.Written{}, unreadable(text, err)
		}
		return written(results...), nil
	})
}

// Diff is what applying a text would change.
func (d *Desk) Diff(ctx context.Context, text []byte) (ctl.Difference, error) {
	return bounded(ctx, d, operation{name: "diff"}, func(ctx context.Context) (ctl.Difference, error) {
		diff, err := d.store.Diff(ctx, text)
		if err != nil {
			return ctl.Difference{}, unreadable(text, err)
		}
		return ctl.Difference{Diff: diff}, nil
	})
}

// Delete deletes an object.
func (d *Desk) Delete(ctx context.Context, n ctl.Name) (ctl.Written, error) {
	return bounded(ctx, d, operation{"delete", true}, func(ctx context.Context) (ctl.Written, error) {
		r, err := d.store.Delete(ctx, n.Kind, orDefault(n.Namespace), n.Name)
		if isNotFound(err) {
			return ctl.Written{}, d.missing(ctx, n)
		}
		if err != nil {
			return ctl.Written{}, refused(err)
		}
		return written(r), nil
	})
}

// Invalidate announces without a change: an object, or without a name all of the kind, in a namespace if there is one. The result
// says where there is no such object: it is announced all the same, for what remembers that there is none.
func (d *Desk) Invalidate(ctx context.Context, n ctl.Name) (ctl.Written, error) {
	return bounded(ctx, d, operation{"invalidate", true}, func(ctx context.Context) (ctl.Written, error) {
		if n.Name != "" {
			n.Namespace = orDefault(n.Namespace)
		}
		r, err := d.store.InvalidateCache(ctx, n.Kind, n.Namespace, n.Name)
		if err != nil {
			return ctl.Written{}, refused(err)
		}
		w := written(r)
		if meta := r.Manifest.Metadata; meta.Name != "" && meta.ResourceVersion == "" { // it is not stored
			w.Results[0].Exists = new(bool)
		}
		return w, nil
	})
}

// Announced waits, so long, until what a ticket stands for is announced.
func (d *Desk) Announced(ctx context.Context, ticket string, timeout time.Duration) (event.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	token, err := d.store.Wait(ctx, outbox.Ticket(ticket))
	if errors.Is(err, context.DeadlineExceeded) {
		err = ctl.Refuse(http.StatusGatewayTimeout, "ticket", "not announced within %v: the change is committed, and announced as soon as the bus is there; "+
			"ask again, or look at outbox_oldest_seconds", timeout)
	}
	return token, refused(err)
}

// written is what results say; all those of one call have one token and one ticket.
func written(results ...manifest.Result[json.RawMessage]) ctl.Written {
	w := ctl.Written{Results: []ctl.Result{}}
	for _, r := range results {
		meta := r.Manifest.Metadata
		w.Results = append(w.Results, ctl.Result{
			Action: string(r.Action), Kind: r.Manifest.Kind, Namespace: meta.Namespace, Name: meta.Name,
			ResourceVersion: meta.ResourceVersion, Generation: meta.Generation,
		})
		if !r.Token.IsZero() {
			w.Token = r.Token
		}
		if r.Ticket != "" {
			w.Ticket = string(r.Ticket)
		}
	}
	return w
}

// maxReason is how long a reason may be, in bytes.
const maxReason = 1 << 10

// Because has what is announced with ctx say why.
func Because(ctx context.Context, reason string) (context.Context, error) {
	switch {
	case reason == "":
		return ctx, nil
	case len(reason) > maxReason || !utf8.ValidString(reason):
		return nil, ctl.Refuse(http.StatusUnprocessableEntity, ctl.ReasonHeader, "want UTF-8 of at most %d bytes", maxReason)
	}
	return event.WithReason(ctx, reason), nil
}

// By has what is announced with ctx say who its caller says it is. The name of the token that the caller has sent is not replaced.
func By(ctx context.Context, who string) (context.Context, error) {
	if err := event.CheckActor(ctl.ActorHeader, who); err != nil {
		return nil, refused(err)
	}
	return event.WithClaim(ctx, who), nil
}
