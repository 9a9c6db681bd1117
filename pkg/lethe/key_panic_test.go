package lethe_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

type panickyKey struct{ s string }

func (k panickyKey) MarshalText() ([]byte, error) { panic("the key has no text: " + k.s) }

func TestAPanicOfAKeyIsAPanicErrorAndLogged(t *testing.T) {
	t.Parallel()
	log := &journal{}
	n := opened(t, lethe.Config{Logger: log.logger()})
	f := lethe.Memoize(n, "f", func(context.Context, panickyKey) (int, error) { return 1, nil })
	k := panickyKey{"k"}
	_, get := f.Get(t.Context(), k)
	_, lookup := f.Lookup(t.Context(), k)
	_, many := f.GetMany(t.Context(), []panickyKey{k})
	_, invalidate := f.Invalidate(t.Context(), k)
	for how, err := range map[string]error{"Get": get, "Lookup": lookup, "GetMany": many, "Invalidate": invalidate} {
		var p *lethe.PanicError
		if !errors.As(err, &p) || p.Value != "the key has no text: k" || !strings.Contains(string(p.Stack), "MarshalText") {
			t.Errorf("%s: %v, want a *PanicError with its value and stack", how, err)
		}
	}
	until(t, "it is logged", func() bool { return len(log.lines("load_panic", "in=key", "function=f")) > 0 })
	if lines := log.lines("load_panic"); len(lines) != 1 {
		t.Errorf("logged %q, want one line a minute", lines)
	}
}
