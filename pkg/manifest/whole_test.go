package manifest_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// between is a place whose kind Step runs a function once in the middle of planning: when the object b is looked at, after a was
// read.
type between struct {
	*place
	run atomic.Pointer[func()]
}

type Step struct {
	Model string `json:"model"`
}

func planned(t *testing.T, p *place) *between {
	t.Helper()
	b := &between{place: p}
	must(manifest.Register(t.Context(), p.store, manifest.Kind[Step]{
		APIVersion: "example.dev/v1", Name: "Step",
		Stale: func(m manifest.Manifest[Step]) []event.Target {
			if m.Metadata.Name == "b" {
				if f := b.run.Swap(nil); f != nil {
					(*f)()
				}
			}
			return nil
		},
	}))
	return b
}

// onShared runs f on each engine that several processes may write to, with two of them.
func onShared(t *testing.T, f func(t *testing.T, us, others *between)) {
	t.Helper()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return // nobody else can write
		}
		ps := places(t, e, 2)
		f(t, planned(t, ps[0]), planned(t, ps[1]))
	})
}

func stepText(name, model, version string) string {
	if version != "" {
		version = ", resourceVersion: '" + version + "'"
	}
	return fmt.Sprintf("---\napiVersion: example.dev/v1\nkind: Step\nmetadata: {namespace: acme, name: %s%s}\nspec: {model: %s}\n", name, version, model)
}

func TestADocumentFoundUnchangedIsPartOfTheDecision(t *testing.T) {
	t.Parallel()
	onShared(t, func(t *testing.T, us, others *between) {
		for name, tc := range map[string]struct {
			b       string // the model that is applied to b, which has m0; a is applied with the m0 that it has
			guarded bool
		}{
			"the other one changes":                {b: "m1"},
			"none changes":                         {b: "m0"},
			"the other one changes, and a version": {b: "m1", guarded: true},
			"none changes, and a version":          {b: "m0", guarded: true},
		} {
			for _, gone := range []bool{false, true} {
				must(us.store.Apply(t.Context(), []byte(stepText("a", "m0", "")+stepText("b", "m0", ""))))
				was := must(us.store.Get(t.Context(), "Step", "acme", "a"))
				meanwhile := func() {
					if gone {
						must(others.store.Delete(t.Context(), "Step", "acme", "a"))
						return
					}
					must(others.store.Apply(t.Context(), []byte(stepText("a", "m2", ""))))
				}
				us.run.Store(&meanwhile)
				version := ""
				if tc.guarded {
					version = was.Metadata.ResourceVersion
				}
				text := stepText("a", "m0", version) + stepText("b", tc.b, "")
				rs, err := us.store.Apply(t.Context(), []byte(text))
				a, _ := others.store.Get(t.Context(), "Step", "acme", "a")
				b := must(others.store.Get(t.Context(), "Step", "acme", "b"))
				if tc.guarded {
					if !errors.Is(err, manifest.ErrConflict) || !strings.Contains(string(b.Spec), "m0") {
						t.Errorf("%s: a is not at %s any more: %v, b has %s", name, version, err, b.Spec)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if rs[0].Action == manifest.Unchanged || !strings.Contains(string(a.Spec), "m0") || !strings.Contains(string(b.Spec), tc.b) {
					t.Errorf("%s, deleted %v: a is %s and has %s, b has %s", name, gone, rs[0].Action, a.Spec, b.Spec)
				}
			}
		}
	})
}

func TestADryRunAndADiffSpeakOfOneMoment(t *testing.T) {
	t.Parallel()
	onShared(t, func(t *testing.T, us, others *between) {
		text := []byte(stepText("a", "m0", "") + stepText("b", "m0", ""))
		for name, changes := range map[string]func() (int, error){
			"dry run": func() (n int, err error) {
				rs, err := us.store.DryRun(t.Context(), text)
				for _, r := range rs {
					if r.Action != manifest.Unchanged {
						n++
					}
				}
				return n, err
			},
			"diff": func() (int, error) {
				diff, err := us.store.Diff(t.Context(), text)
				return strings.Count(diff, "+++"), err
			},
		} {
			must(us.store.Apply(t.Context(), text))
			meanwhile := func() {
				must(others.store.Apply(t.Context(), []byte(stepText("a", "m1", "")+stepText("b", "m1", ""))))
			}
			us.run.Store(&meanwhile)
			if n, err := changes(); err != nil || n == 1 {
				t.Errorf("%s: %d of two objects would change, that were always changed together: %v", name, n, err)
			}
		}
	})
}

// While an apply is about to commit, what it found unchanged can't be changed by others.
func TestWhatAnApplyLeavesUnchangedIsLocked(t *testing.T) {
	t.Parallel()
	dsn := engines()[2].dsn(t)
	ps := places(t, engine{"postgres", func(testing.TB) string { return dsn }, false}, 2)
	must(ps[0].bots.Apply(t.Context(), bot("a", Bot{Account: "x"})))
	s := stop(t, dsn)
	var wg sync.WaitGroup
	wg.Go(func() {
		must(ps[0].store.Apply(t.Context(), []byte("---\napiVersion: example.dev/v1\nkind: Bot\nmetadata: {namespace: acme, name: a}\nspec: {account: x}\n"+
			"---\napiVersion: example.dev/v1\nkind: Bot\nmetadata: {namespace: acme, name: b}\nspec: {account: because-a-is-x}\n")))
	})
	s.waiting(1)
	wg.Go(func() { must(ps[1].bots.Apply(t.Context(), bot("a", Bot{Account: "y"}))) })
	s.blocked(1)
	s.goOn()
	wg.Wait()
}
