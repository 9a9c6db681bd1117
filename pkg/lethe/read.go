package lethe

import (
	"context"
	"time"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/internal/flight"
	"github.com/lethe-cache/lethe/pkg/event"
)

// serving is what a reading of an entry allows.
type serving int

const (
	unusable serving = iota
	fresh
	stale    // a load has to be under way
	byPolicy // without a lease, as the function's Policy allows
)

// serve says what may be done with an entry. r is what the gate said: lease first, then the fences, then the time. grace is
// how long the fleet knows that this node may serve without a lease.
func (s *settings) serve(l *fence.Life, r fence.Reading, grace func() time.Duration) serving {
	if r.Verdict == fence.Hard || r.Now >= l.End {
		return unusable
	}
	current := r.Verdict == fence.Fresh && r.Now < l.Expires
	switch {
	case r.Leased() && current:
		return fresh
	case !current && s.stale == 0:
		return unusable
	case r.Leased():
		return stale
	case r.Lease > 0 && s.policy.limit > 0 && r.Now < r.Lease+int64(min(s.policy.limit, grace())):
		return byPolicy
	}
	return unusable
}

func (c *core[K, V]) serve(l *fence.Life, r fence.Reading) serving { return c.s.serve(l, r, c.n.grace) }

// get is the read of Func.Get. The hot hit is answered here, without an allocation; everything else by lookup.
func (c *core[K, V]) get(ctx context.Context, k K) (V, error) {
	frame := depend.From(ctx)
	if frame == nil && !c.byText && !c.s.withoutHot && !c.n.closed.Load() {
		hash := c.hotKey(k, "")
		if e := c.findHot(hash, k, ""); e != nil && e.negative == 0 {
			r := c.n.gate.Read(&e.Life, &e.memo)
			if r.Verdict == fence.Fresh && r.Now < min(e.Expires, r.Lease) && !c.ahead(&e.Life, r.Now) {
				c.requests[resultHit].add(hash)
				return e.value, nil
			}
		}
	}
	r, err := c.lookup(ctx, frame, k)
	return r.Value, err
}

func (c *core[K, V]) lookup(ctx context.Context, frame *depend.Frame, k K) (Result[V], error) {
	rd := c.reading(frame)
	text, err := c.text(k)
	if err != nil {
		c.requests[resultError].add(0)
		return Result[V]{}, err
	}
	if c.n.closed.Load() {
		return c.direct(ctx, frame, k)
	}
	ask := c.ask(ctx, rd)
	if ask.Need == 0 {
		if r, ok, err := c.cached(ctx, frame, rd, k, text, true); ok {
			return r, err
		}
	}
	ask.Clock, ask.Leased = c.n.gate.Ask()
	return c.fly(ctx, frame, rd, k, text, ask)
}

// reading is how frame wants reads to be made. A load of another node is nobody this node's loads could wait for.
func (c *core[K, V]) reading(frame *depend.Frame) reading {
	rd := readingOf(frame)
	if rd.node != c.n {
		rd.load = nil
	}
	return rd
}

// ask waits for the token of the context, and says what the read bypasses for where it was not reached. The clock is noted
// afterwards, and only once.
func (c *core[K, V]) ask(ctx context.Context, rd reading) *flight.Ask {
	a := &flight.Ask{Parent: rd.load}
	switch {
	case rd.bypass:
		a.Need, a.Offer = flight.All, flight.All
	case !rd.token.IsZero() && !c.n.reach(ctx, rd):
		a.Need, a.Offer = c.n.level(rd.token)
	}
	return a
}

// reach waits for a token as long as its reads have time left.
func (n *Node) reach(ctx context.Context, rd reading) bool {
	if n.bus.Reached(rd.token) {
		return true
	}
	left := time.Duration(rd.left.Load())
	if left <= 0 {
		return false
	}
	begun := n.now()
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	err := n.bus.Wait(ctx, rd.token)
	rd.left.Add(begun - n.now())
	return err == nil
}

// level orders bypassing reads: a load made for a later token of the present epoch serves one for an earlier. What a token of
// another epoch needs only a load that bypasses for everything offers.
func (n *Node) level(t event.Token) (need, offer uint64) {
	if t.Epoch() == n.bus.Position().Epoch() {
		return t.Sequence(), t.Sequence()
	}
	return flight.All, 0
}

// direct calls the loader of a closed node.
func (c *core[K, V]) direct(ctx context.Context, frame *depend.Frame, k K) (Result[V], error) {
	c.note(frame, nil, 0)
	var v V
	err := guard(func() (err error) { v, err = c.load(ctx, k); return err })
	c.requests[resultBypass].add(0)
	return Result[V]{Value: v, Cache: Bypassed}, err
}

// note records a read for the load that makes it.
func (c *core[K, V]) note(frame *depend.Frame, labels []depend.Label, expires int64) {
	if frame != nil {
		frame.Record.Read(c.n, labels, expires)
	}
}

// candidate is an entry found in a tier.
type candidate[V any] struct {
	entry
	value V
	tier  Tier
	r     fence.Reading
}

// cached answers from memory, if it may. load says that a refresh may be started.
func (c *core[K, V]) cached(ctx context.Context, frame *depend.Frame, rd reading, k K, text string, load bool) (Result[V], bool, error) {
	hash := c.hotKey(k, text)
	e, how := c.find(hash, k, text, frame != nil)
	if how == unusable {
		return Result[V]{}, false, nil
	}
	res := Result[V]{Value: e.value, Cache: Hit, Tier: e.tier, Age: time.Duration(max(e.r.Now-e.Start, 0))}
	expires := e.Expires
	switch {
	case how != fresh:
		res.Cache, expires = Stale, 0
		c.requests[resultStale].add(hash)
	case e.negative > 0:
		res.Cache = Negative
		c.requests[resultNegative].add(hash)
	default:
		c.requests[resultHit].add(hash)
	}
	c.note(frame, e.labels, expires)
	if load && (how == stale || how == fresh && c.ahead(&e.Life, e.r.Now)) {
		c.refresh(ctx, rd, k, text)
	}
	if e.negative > 0 {
		return res, true, c.s.negative[e.negative-1]
	}
	return res, true, nil
}

// find looks into the hot tier and, unless that has what is fresh, into bulk. labels asks for the entry's labels.
func (c *core[K, V]) find(hash uint64, k K, text string, labels bool) (found candidate[V], how serving) {
	if !c.s.withoutHot {
		if e := c.findHot(hash, k, text); e != nil {
			r := c.n.gate.Read(&e.Life, &e.memo)
			found, how = candidate[V]{entry: e.entry, value: e.value, tier: Hot, r: r}, c.serve(&e.Life, r)
			if how == fresh {
				return found, how
			}
		}
	}
	if c.s.withoutBulk {
		return found, how
	}
	b, err := c.n.tiers.bulk.Get(text)
	if err != nil {
		return found, how
	}
	var room [depend.MaxLabels + 1]uint64
	e, rawLabels, encoded, ok := parseEntry(b, room[:0])
	if !ok {
		return found, how
	}
	r := c.n.gate.Read(&e.Life, nil)
	bulk := c.serve(&e.Life, r)
	if bulk == unusable || how != unusable && e.Start <= found.Start {
		return found, how
	}
	var v V
	if e.negative == 0 {
		if err := guard(func() error { return c.codec.Decode(encoded, &v) }); err != nil {
			c.encodeFailed.Do(func() { c.n.log.Error("lethe: a cached value could not be decoded", "function", c.name, "error", err) })
			return found, how
		}
	}
	e.Labels = nil // they stand in this call's room
	if labels || bulk == fresh && !c.s.withoutHot {
		e.labels = parseLabels(rawLabels)
	}
	if bulk == fresh && !c.s.withoutHot {
		c.promote(hash, k, text, e, v, encoded)
	}
	return candidate[V]{entry: e, value: v, tier: Bulk, r: r}, bulk
}

// ahead reports whether it is time to load again before the value expires.
func (c *core[K, V]) ahead(l *fence.Life, now int64) bool {
	f := c.s.refreshAhead
	return f > 0 && float64(now-l.Start) > f*float64(l.Expires-l.Start)
}

// peek is cached without a load.
func (c *core[K, V]) peek(ctx context.Context, k K) (v V, ok bool) {
	frame := depend.From(ctx)
	rd := c.reading(frame)
	text, err := c.text(k)
	if err != nil || c.n.closed.Load() || rd.bypass || !rd.token.IsZero() && !c.n.bus.Reached(rd.token) {
		c.note(frame, nil, 0)
		return v, false
	}
	r, ok, err := c.cached(ctx, frame, rd, k, text, false)
	if !ok {
		c.note(frame, nil, 0) // what would have been there, and with which labels, is not known
	}
	return r.Value, ok && err == nil
}
