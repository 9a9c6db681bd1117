package lethe

import (
	"context"

	"github.com/lethe-cache/lethe/internal/depend"
)

// directs is the chain of calls of loaders of closed nodes that lead to each other through their contexts, the innermost first.
type directs struct {
	function any // a *core
	key      string
	up       *directs
}

type directsKey struct{}

func (d *directs) has(function any, key string) bool {
	for ; d != nil; d = d.up {
		if d.function == function && d.key == key {
			return true
		}
	}
	return false
}

// direct calls the loader of a closed node, on the goroutine of its caller: the node has none any more. What holds for a load of an
// open one holds as far as it can: the loader has its time, one that waits for its own key is told so, and whoever comes with a
// context that has ended gets that.
func (c *core[K, V]) direct(ctx context.Context, frame *depend.Frame, k K, text []byte) (answer[V], error) {
	if err := ctx.Err(); err != nil {
		return answer[V]{}, c.giveUp(frame, err)
	}
	up, _ := ctx.Value(directsKey{}).(*directs)
	if up.has(c, string(text)) {
		return answer[V]{}, c.giveUp(frame, &Error{Op: "get", Name: c.name, Err: ErrCycle})
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, directsKey{}, &directs{c, string(text), up}), c.s.timeout)
	defer cancel()
	c.note(frame, nil, 0)
	var v V
	err := c.guard("loader", func() (err error) { v, err = c.load(ctx, k); return err })
	c.requests.add(resultBypass)
	return answer[V]{value: &v, cache: Bypassed, start: begunNever}, err
}
