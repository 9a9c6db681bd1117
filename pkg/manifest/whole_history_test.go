package manifest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/lethe-cache/lethe/pkg/manifest"
)

// cell is one object of a history: its version, 0 where it is not there, its model, and the status that was reported.
type cell struct {
	version       int64
	model, status string
}

// few objects are what a history is about.
type few [3]cell

// step is one call of a history.
type step struct {
	verb  string // apply, dry, delete, status or list
	place int
	docs  []wanted // of a delete and a status one
}

// wanted is one document: an object, its model or its status, and the version it is applied to, 0 where it names none.
type wanted struct {
	object int
	model  string
	guard  int64
}

// outcome of a step.
type outcome struct {
	refused bool // a conflict, or not found
	action  []manifest.Action
	version []int64
	listed  few
}

// apply says whether a step can have this outcome where objects are as they are, and how they are after it.
func (f few) apply(in step, out outcome) (bool, few) {
	if in.verb == "list" {
		return f == out.listed, f
	}
	refused := (in.verb == "delete" || in.verb == "status") && f[in.docs[0].object].version == 0
	for _, d := range in.docs {
		refused = refused || d.guard != 0 && d.guard != f[d.object].version
	}
	if refused || out.refused {
		return refused == out.refused, f
	}
	next, number := f, int64(0)
	for i, d := range in.docs {
		have := f[d.object]
		want := manifest.Configured
		switch {
		case in.verb == "delete":
			want = manifest.Deleted
		case in.verb == "status":
			if have.status == d.model {
				want = manifest.Unchanged
			}
		case have.version == 0:
			want = manifest.Created
		case have.model == d.model:
			want = manifest.Unchanged
		}
		switch {
		case out.action[i] != want:
			return false, f
		case want == manifest.Unchanged || in.verb == "dry":
			if out.version[i] != have.version {
				return false, f
			}
			continue
		case number != 0 && out.version[i] != number, out.version[i] <= have.version:
			return false, f // all that one apply changes has one version, and versions rise
		}
		number = out.version[i]
		switch in.verb {
		case "delete":
			next[d.object] = cell{}
		case "status":
			next[d.object] = cell{number, have.model, d.model}
		default:
			next[d.object] = cell{number, d.model, have.status} // an apply leaves the status alone
		}
	}
	if in.verb == "dry" {
		return true, f
	}
	return true, next
}

// do makes a step against the objects of a namespace.
func (in step) do(t *testing.T, s *manifest.Store, namespace string) (out outcome) {
	var (
		text strings.Builder
		err  error
	)
	name := func(object int) string { return "o" + strconv.Itoa(object) }
	for _, d := range in.docs {
		guard := ""
		if d.guard != 0 {
			guard = fmt.Sprintf(", resourceVersion: '%d'", d.guard)
		}
		fmt.Fprintf(&text, "---\napiVersion: example.dev/v1\nkind: Bot\nmetadata: {namespace: %s, name: %s%s}\nspec: {account: x, model: %s}\n",
			namespace, name(d.object), guard, d.model)
	}
	take := func(all ...manifest.Result[json.RawMessage]) {
		for _, r := range all {
			v, _ := strconv.ParseInt(r.Manifest.Metadata.ResourceVersion, 10, 64)
			out.action, out.version = append(out.action, r.Action), append(out.version, v)
		}
	}
	switch in.verb {
	case "apply", "dry":
		do := s.Apply
		if in.verb == "dry" {
			do = s.DryRun
		}
		all, e := do(t.Context(), []byte(text.String()))
		take(all...)
		err = e
	case "delete":
		r, e := s.Delete(t.Context(), "Bot", namespace, name(in.docs[0].object))
		take(r)
		err = e
	case "status":
		d := in.docs[0]
		version := ""
		if d.guard != 0 {
			version = strconv.FormatInt(d.guard, 10)
		}
		r, e := s.SetStatus(t.Context(), "Bot", namespace, name(d.object), d.model, manifest.IfVersion(version))
		take(r)
		err = e
	default:
		all, _, e := s.List(t.Context(), "Bot", manifest.ListOptions{Namespace: namespace})
		for _, o := range all {
			i, _ := strconv.Atoi(o.Metadata.Name[1:])
			v, _ := strconv.ParseInt(o.Metadata.ResourceVersion, 10, 64)
			_, model, _ := strings.Cut(string(o.Spec), `"model":"`)
			out.listed[i] = cell{v, strings.TrimRight(model, `"}`), strings.Trim(string(o.Status), `"`)}
		}
		err = e
	}
	switch {
	case errors.Is(err, manifest.ErrConflict), errors.Is(err, manifest.ErrNotFound):
		out.refused = true
	case err != nil:
		t.Errorf("%+v: %v", in, err)
	}
	return out
}

// draw is a step at random. Two models and three objects, so that much of what is applied is there already; versions that were seen
// are guards, of objects that change and of objects that don't.
func draw(r *rand.Rand, place int, seen few) step {
	switch n := r.IntN(10); n {
	case 0:
		return step{verb: "list", place: place}
	case 1:
		return step{verb: "delete", place: place, docs: []wanted{{object: r.IntN(3)}}}
	case 3, 4:
		d := wanted{object: r.IntN(3), model: "s" + strconv.Itoa(r.IntN(2))}
		if r.IntN(3) == 0 {
			d.guard = seen[d.object].version
		}
		return step{verb: "status", place: place, docs: []wanted{d}}
	default:
		verb := "apply"
		if n == 2 {
			verb = "dry"
		}
		in := step{verb: verb, place: place}
		for _, object := range r.Perm(3)[:2+r.IntN(2)] {
			d := wanted{object: object, model: "m" + strconv.Itoa(r.IntN(2))}
			if r.IntN(3) == 0 {
				d.guard = seen[object].version
			}
			if r.IntN(3) == 0 && seen[object].version != 0 { // as it is
				d.model = seen[object].model
			}
			in.docs = append(in.docs, d)
		}
		return in
	}
}

// learn is what the caller of a step knows after it.
func (f few) learn(in step, out outcome) few {
	switch {
	case in.verb == "list":
		return out.listed
	case in.verb == "apply" && !out.refused && len(out.version) == len(in.docs):
		for i, d := range in.docs {
			f[d.object] = cell{version: out.version[i], model: d.model}
		}
	}
	return f
}

// Three processes apply sets of documents, delete, report a status, list and make dry runs at once. Some order explains all that they were told:
// each call is done as a whole, at one moment between its beginning and its end.
func TestEachApplyIsWholeInSomeOrder(t *testing.T) {
	t.Parallel()
	model := porcupine.Model{
		Init: func() any { return few{} },
		Step: func(state, in, out any) (bool, any) {
			s, _ := state.(few)
			i, _ := in.(step)
			o, _ := out.(outcome)
			return s.apply(i, o)
		},
	}
	postgres := engines()[2]
	for _, e := range []engine{
		engines()[0], engines()[1], postgres,
		{"postgres, serializable", func(tb testing.TB) string {
			dsn := postgres.dsn(tb)
			sign := "?"
			if strings.Contains(dsn, "?") {
				sign = "&"
			}
			return dsn + sign + "default_transaction_isolation=serializable"
		}, false},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			const rounds, callers, steps = 60, 4, 3
			ps := places(t, e, 3)
			seed := rand.Uint64()
			for round := range rounds {
				namespace := "round-" + strconv.Itoa(round)
				var (
					mu      sync.Mutex
					history []porcupine.Operation
					wg      sync.WaitGroup
				)
				began := time.Now()
				record := func(caller int, in step) outcome {
					call := time.Since(began)
					out := in.do(t, ps[in.place].store, namespace)
					mu.Lock()
					defer mu.Unlock()
					history = append(history, porcupine.Operation{ClientId: caller, Input: in, Output: out, Call: int64(call), Return: int64(time.Since(began))})
					return out
				}
				first := rand.New(rand.NewPCG(seed, uint64(round)))
				var start few
				for object := range 3 {
					in := step{verb: "apply", docs: []wanted{{object: object, model: "m" + strconv.Itoa(first.IntN(2))}}}
					start = start.learn(in, record(0, in))
				}
				ready := make(chan struct{})
				for caller := range callers {
					wg.Go(func() {
						r, seen := rand.New(rand.NewPCG(seed, uint64(round*callers+caller)+1<<32)), start
						<-ready
						for range steps {
							in := draw(r, caller%len(ps), seen)
							seen = seen.learn(in, record(caller, in))
						}
					})
				}
				close(ready)
				wg.Wait()
				record(0, step{verb: "list"})
				if t.Failed() {
					return
				}
				if got := porcupine.CheckOperationsTimeout(model, history, patience); got != porcupine.Ok {
					for _, o := range history {
						t.Logf("%d: %v to %v: %+v: %+v", o.ClientId, time.Duration(o.Call), time.Duration(o.Return), o.Input, o.Output)
					}
					t.Fatalf("round %d of seed %d: no order explains this history (%v)", round, seed, got)
				}
			}
		})
	}
}
