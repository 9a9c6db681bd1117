package desk

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Bounds of one request to the database. With the longest body (30 s), a commit that is not answered (15 s) and the wait for a
// token (1 s), an answer still comes within the 70 s that HTTP has for it.
const (
	DatabaseFor  = 20 * time.Second // then the request ends
	databaseSlow = 5 * time.Second  // a request that takes longer is logged
)

// operation is one request to the database.
type operation struct {
	name   string
	writes bool // what becomes of it is not known when it ends early
}

type boundedKey struct{}

// bounded runs do within the bound of a request to the database. A request inside another one shares its bound.
func bounded[T any](ctx context.Context, d *Desk, o operation, do func(context.Context) (T, error)) (T, error) {
	if ctx.Value(boundedKey{}) != nil {
		return do(ctx)
	}
	within, cancel := context.WithTimeout(context.WithValue(ctx, boundedKey{}, true), d.most)
	defer cancel()
	start := time.Now()
	v, err := do(within)
	took := time.Since(start)
	// The caller's own end is no fault of the database, unless its deadline is what bounds the request.
	late := errors.Is(within.Err(), context.DeadlineExceeded) && !errors.Is(ctx.Err(), context.Canceled)
	switch {
	case late && errors.Is(err, manifest.ErrUnchecked):
		d.log.Warn("a manifest was not checked in time", "request", o.name, "after", took, "error", err)
	case err != nil && late && unanswered(err):
		d.log.Warn("the database did not answer in time", "request", o.name, "after", took, "error", err)
		return v, o.late(took)
	case took > databaseSlow:
		d.log.Warn("the database is slow", "request", o.name, "took", took)
	}
	return v, err
}

// unanswered says whether err may be the end of a bound: what the database or the manifests refuse stays what it is.
func unanswered(err error) bool {
	r := refusalOf(err)
	return !r.Retry && (r.Code == http.StatusServiceUnavailable || r.Code == http.StatusGatewayTimeout)
}

// late is what the caller of a request gets that has ended at its bound.
func (o operation) late(took time.Duration) *ctl.Refusal {
	took = took.Round(100 * time.Millisecond)
	if o.writes {
		return ctl.Refuse(http.StatusGatewayTimeout, "database", "the database did not answer within %v, and it is not known whether it was done: do it again, that is safe", took)
	}
	return ctl.Refuse(http.StatusGatewayTimeout, "database", "the database did not answer within %v: nothing was changed, ask again", took)
}
