package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/chaos/judge"
	"github.com/lethe-cache/lethe/pkg/event"
)

// invalidateFor bounds one attempt. A write tries on until it is acknowledged, as an outbox would.
const invalidateFor = 8 * time.Second

// writesMost bounds the writes that are not acknowledged yet; at the bound no further one begins.
const writesMost = 100

// keepWriting begins writes at the run's rate until ctx ends; they end in busy.
func (d *driver) keepWriting(ctx context.Context, busy *sync.WaitGroup) {
	r := rand.New(rand.NewPCG(d.opt.seed, 1000))
	for n := uint64(0); ctx.Err() == nil; n++ {
		wait(ctx, between(r, 0, 2*time.Second/time.Duration(d.opt.writes)))
		if ctx.Err() == nil && d.open.Load() < writesMost {
			busy.Go(func() { d.write(d.life, rand.New(rand.NewPCG(d.opt.seed, 1001+n))) })
		}
	}
}

// write commits new versions of some keys of a group and invalidates them until that is acknowledged.
func (d *driver) write(ctx context.Context, r *rand.Rand) {
	d.open.Add(1)
	defer d.open.Add(-1)
	first := pickKey(r) / groupSize * groupSize
	var keys []int
	for _, i := range r.Perm(groupSize)[:1+r.IntN(3)] {
		keys = append(keys, first+i)
	}
	w := write{id: d.writes.Add(1), kind: pickKind(r)}
	w.covers = d.truth.commit(keys, d.judge.Commit)
	w.targets = targets(w.kind, keys)
	if w.said = r.IntN(10) < 7; w.said {
		w.reason = reason{write: w.id, soft: w.kind == bySoft, part: w.kind == byKeys || w.kind == byFunction, covers: w.covers}.String()
	}
	if r.IntN(5) == 0 {
		wait(ctx, time.Duration(r.Int64N(int64(50*time.Millisecond))))
	}
	for try := range 1 << 20 {
		if d.sabotage == sabotageLost && r.IntN(100) == 0 && !d.last().IsZero() {
			d.acked(ctx, r, w, d.last()) // it never was sent
			return
		}
		t, err := d.invalidate(r, w)
		if err == nil && !t.IsZero() {
			d.acked(ctx, r, w, t)
			return
		}
		d.unknown.Add(1)
		d.reasons.add(err)
		if d.life.Err() != nil {
			return
		}
		// Not bound to ctx: what was committed has to be announced, also after the last write.
		wait(d.life, 20*time.Millisecond<<min(try, 5)+rand.N(100*time.Millisecond))
	}
}

// write is a commit and what announces it.
type write struct {
	id      int64
	kind    string
	covers  []judge.Cover
	targets []event.Target
	reason  string
	said    bool // the reason travels, so its events are not mixed with others'
}

var errNoToken = errors.New("no token")

// invalidate announces through a publisher of the driver or through a node.
func (d *driver) invalidate(r *rand.Rand, w write) (event.Token, error) {
	if r.IntN(100) < 60 {
		ctx, cancel := context.WithTimeout(d.life, invalidateFor)
		defer cancel()
		if w.said {
			ctx = event.WithReason(ctx, w.reason)
		}
		return d.publishers[r.IntN(len(d.publishers))].Invalidate(ctx, w.targets...)
	}
	n := d.nodes[r.IntN(len(d.nodes))]
	a, err := n.ask(d.life, command{Do: doInvalidate, Kind: w.kind, Reason: w.reason, Covers: w.covers}, invalidateFor)
	if err != nil {
		return event.Token{}, err
	}
	if a.Error != "" {
		return event.Token{}, errors.New(a.Error)
	}
	return event.ParseToken(a.Token)
}

// acked notes that the stream has it, and asks some of the nodes to wait for it.
func (d *driver) acked(ctx context.Context, r *rand.Rand, w write, t event.Token) {
	s := judge.Stored{Sequence: t.Sequence(), Seen: mono(), Soft: w.kind == bySoft, Covers: w.covers}
	if at, ok := d.watch.find(s.Sequence); ok {
		s.Stamp, s.Seen = at.stamp, min(s.Seen, at.seen)
	}
	d.judge.Stored(s)
	if s.Stamp == 0 {
		d.stamps.add(s)
	}
	d.ledger.add(w, t)
	d.remember(t)
	cmd := command{Do: doWait, Token: t.String(), Kind: w.kind, Covers: w.covers}
	for _, n := range d.nodes {
		if r.IntN(10) >= 6 {
			continue
		}
		d.waiting.Go(func() {
			asked := mono()
			a, err := n.ask(ctx, cmd, 30*time.Second)
			d.waits.Add(1)
			switch {
			case err != nil || a.Error != "" && !a.Refused:
				d.unwaited.Add(1)
			case a.Refused:
				d.refused(n, t, s.Seen, asked, a.Error)
			}
		})
	}
}

// refused tells of a token that a node takes for one that the stream has not reached, with what was seen of the stream around it.
func (d *driver) refused(n *copyOf, t event.Token, acked, asked int64, why string) {
	v := judge.Violation{Rule: "token", Node: n.index, Why: fmt.Sprintf(
		"%v was acknowledged at %d, the node was asked to wait at %d and refused at %d: %s", t, acked, asked, mono(), why)}
	for seq := t.Sequence() - 30; seq < t.Sequence()+10; seq++ {
		if at, ok := d.watch.find(seq); ok {
			v.History = append(v.History, fmt.Sprintf("message %d stamp %d seen %d", seq, at.stamp, at.seen))
		}
	}
	d.judge.Refused(v)
}

// remember keeps the highest token.
func (d *driver) remember(t event.Token) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.epochs, t.Epoch()) {
		d.epochs = append(d.epochs, t.Epoch())
	}
	if t.Sequence() > d.highest.Sequence() {
		d.highest = t
	}
}

func (d *driver) last() event.Token {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.highest
}
