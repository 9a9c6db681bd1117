package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// function is a memoized function as HTTP callers see it: arguments come as JSON, one raw text each.
type function interface {
	lookup(ctx context.Context, args []json.RawMessage) (answer, error)
	target(ctx context.Context, args []json.RawMessage) (event.Target, error)
}

// answer is a value and how it was come by.
type answer struct {
	Value any           `json:"value"`
	Cache lethe.Outcome `json:"cache"`
	Tier  lethe.Tier    `json:"tier"`
	AgeMs int64         `json:"ageMs"`
}

// unary adapts a memoized function of one argument.
type unary[K comparable, V any] struct {
	name event.Name[K]
	f    *lethe.Func[K, V]
	arg  string
}

func (u unary[K, V]) lookup(ctx context.Context, args []json.RawMessage) (answer, error) {
	k, err := u.key(args)
	if err != nil {
		return answer{}, err
	}
	r, err := u.f.Lookup(ctx, k)
	if err != nil {
		return answer{}, u.explain(err, r.Cache, r.Age)
	}
	return answer{r.Value, r.Cache, r.Tier, r.Age.Milliseconds()}, nil
}

func (u unary[K, V]) target(_ context.Context, args []json.RawMessage) (event.Target, error) {
	k, err := u.key(args)
	if err != nil {
		return event.Target{}, err
	}
	t := u.name.Key(k)
	return t, t.Err()
}

func (u unary[K, V]) key(args []json.RawMessage) (k K, err error) {
	if len(args) != 1 {
		return k, bad(http.StatusUnprocessableEntity, "args", "%s takes 1 argument (%s), got %d", u.name, u.arg, len(args))
	}
	if err := json.Unmarshal(args[0], &k); err != nil {
		return k, bad(http.StatusUnprocessableEntity, "args", "%s of %s: %v", u.arg, u.name, err)
	}
	return k, nil
}

// explain gives what the loader said the status a caller can act on.
func (u unary[K, V]) explain(err error, cache lethe.Outcome, age time.Duration) error {
	var status int
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p := bad(http.StatusNotFound, u.arg, "no such file")
		p.Cache, p.AgeMs = cache, age.Milliseconds()
		return p
	case errors.Is(err, errPath), errors.Is(err, errNotFile):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, errOutside), errors.Is(err, fs.ErrPermission):
		status = http.StatusForbidden
	case errors.Is(err, errTooBig):
		status = http.StatusRequestEntityTooLarge
	default:
		return fmt.Errorf("%s: %w", u.name, err)
	}
	return bad(status, u.arg, "%v", err)
}
