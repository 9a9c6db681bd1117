package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/lethe-cache/lethe/chaos/whole"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// call changes and lists the objects of a side at random until ctx ends.
func (w *world) call(ctx context.Context, s *side, r *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		wait(ctx, between(r, 0, 120*time.Millisecond))
		c := s.citizens[r.IntN(len(s.citizens))]
		id := fmt.Sprintf("%s %s %d %d", s.name, s.ns, r.Uint32(), n)
		switch p := r.IntN(100); {
		case p < 65:
			docs := s.draw(r)
			w.change(ctx, s, r, whole.Call{ID: id, Docs: docs}, c, command{Do: doApply, Body: s.text(docs)})
		case p < 78:
			i := r.IntN(objectsMost)
			w.change(ctx, s, r, whole.Call{ID: id, Docs: []whole.Doc{{Object: objectName(i), Gone: true}}}, c,
				command{Do: doDelete, Kind: s.ns, Body: objectName(i)})
		default:
			w.list(ctx, s, id, c)
		}
	}
}

// turn changes the kind of a side now and then.
func (w *world) turn(ctx context.Context, s *side, r *rand.Rand) {
	for ctx.Err() == nil {
		wait(ctx, between(r, 500*time.Millisecond, 6*time.Second))
		if ctx.Err() != nil {
			return
		}
		w.turnOnce(ctx, s, r)
	}
}

func (w *world) turnOnce(ctx context.Context, s *side, r *rand.Rand) {
	s.turn++
	call := whole.Call{ID: fmt.Sprintf("%s kind %d", s.name, s.turn), Docs: []whole.Doc{{Object: "kind/" + s.family()}}}
	w.change(ctx, s, r, call, s.citizens[r.IntN(len(s.citizens))], command{Do: doApply, Body: kindText(s.kind, s.turn)})
}

// draw is what an apply wants: some objects, in any order. Few values, and often those that were seen last, so that much is there already; and now and
// then a guard.
func (s *side) draw(r *rand.Rand) []whole.Doc {
	s.mu.Lock()
	know := s.know
	s.mu.Unlock()
	var docs []whole.Doc
	for _, i := range r.Perm(objectsMost)[:1+r.IntN(4)] {
		p := part{Value: r.IntN(3), Owner: ownerName(r.IntN(ownersMost))}
		if r.IntN(5) < 2 {
			p.Ref = objectName(r.IntN(objectsMost))
		}
		if r.IntN(5) < 2 {
			p.Also = objectName(r.IntN(objectsMost))
		}
		d := whole.Doc{Object: objectName(i), Spec: p.canonical()}
		if known := know[i]; known.Version != 0 && !known.Gone {
			if r.IntN(2) == 0 && known.Spec != "" {
				d.Spec = known.Spec
			}
			if r.IntN(6) == 0 {
				d.Guard = known.Version
			}
		}
		docs = append(docs, d)
	}
	return docs
}

// canonical is the spec as a database keeps it: names in order.
func (p part) canonical() string {
	m := map[string]any{"value": p.Value, "owner": p.Owner}
	if p.Ref != "" {
		m["ref"] = p.Ref
	}
	if p.Also != "" {
		m["also"] = p.Also
	}
	return mustJSON(m)
}

func (s *side) text(docs []whole.Doc) string {
	var all []string
	for _, d := range docs {
		meta := map[string]any{"namespace": s.ns, "name": d.Object}
		if d.Guard != 0 {
			meta["resourceVersion"] = strconv.FormatInt(d.Guard, 10)
		}
		all = append(all, mustJSON(map[string]any{"apiVersion": "world.dev/v1", "kind": s.kind, "metadata": meta, "spec": json.RawMessage(d.Spec)}))
	}
	return strings.Join(all, "\n---\n")
}

// change makes a call that changes something, and says whether it was done. Behind its token another process has to see what it wrote.
func (w *world) change(ctx context.Context, s *side, r *rand.Rand, call whole.Call, c *copyOf, cmd command) bool {
	cmd.Reason = call.ID
	call.Begin = mono()
	a, err := c.ask(context.WithoutCancel(ctx), cmd, askFor)
	call.End = mono()
	var list []found
	switch {
	case err != nil:
		w.errors.add(err)
	case a.Error != "" && a.Refused:
		call.Outcome = whole.Refused
	case a.Error != "":
		w.errors.add(fmt.Errorf("%s", a.Error))
	default:
		if err := json.Unmarshal([]byte(a.Body), &list); err != nil {
			w.errors.add(err)
			break
		}
		call.Outcome = whole.Done
		for i := range call.Docs {
			d := &call.Docs[i]
			d.Version, _ = strconv.ParseInt(list[i].Version, 10, 64)
			d.Changed = list[i].Action != manifest.Unchanged
		}
	}
	s.mu.Lock()
	s.calls = append(s.calls, call)
	if call.Outcome == whole.Done {
		s.learn(call.Docs)
	}
	s.mu.Unlock()
	if call.Outcome != whole.Done {
		return false
	}
	if d := call.Docs[0]; d.Changed && a.Ticket != "" && !strings.HasPrefix(d.Object, "kind/") {
		w.see(ctx, s, r, a, d)
	}
	return true
}

// learn keeps what was answered of objects; with the lock held.
func (s *side) learn(docs []whole.Doc) {
	for _, d := range docs {
		if i, err := strconv.Atoi(strings.TrimPrefix(d.Object, "o")); err == nil && i < objectsMost {
			s.know[i] = d
		}
	}
}

// see has another process read what was changed, behind its token.
func (w *world) see(ctx context.Context, s *side, r *rand.Rand, a answer, d whole.Doc) {
	if r.IntN(2) == 0 {
		return
	}
	token := a.Token
	if token == "" {
		t, err := s.citizens[r.IntN(len(s.citizens))].ask(ctx, command{Do: doTicket, Ticket: a.Ticket}, askFor)
		if err != nil || t.Error != "" {
			return // it is judged in the end that it was announced
		}
		token = t.Token
	}
	c := s.citizens[r.IntN(len(s.citizens))]
	got, err := c.ask(ctx, command{Do: doSee, Token: token, Body: s.ns + "/" + d.Object}, askFor)
	if err != nil || got.Error != "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sees = append(s.sees, see{d.Object, d.Version, got.Body, c.name})
}

// list notes what a process lists.
func (w *world) list(ctx context.Context, s *side, id string, c *copyOf) {
	call := whole.Call{ID: id, Look: true, Begin: mono()}
	a, err := c.ask(context.WithoutCancel(ctx), command{Do: doList, Kind: s.ns}, askFor)
	call.End = mono()
	var list []found
	if err != nil || a.Error != "" || json.Unmarshal([]byte(a.Body), &list) != nil {
		return
	}
	call.Outcome = whole.Done
	there := map[string]found{}
	for _, f := range list {
		there[f.Name] = f
	}
	for i := range objectsMost {
		f, ok := there[objectName(i)]
		d := whole.Doc{Object: objectName(i), Gone: !ok, Spec: f.Spec}
		d.Version, _ = strconv.ParseInt(f.Version, 10, 64)
		call.Docs = append(call.Docs, d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
	s.learn(call.Docs)
}
