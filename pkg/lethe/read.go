package lethe

import (
	"context"
	"hash/maphash"
	"math"
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

// answer is what a read ends with.
type answer[V any] struct {
	value *V // nil where there is none
	cache Outcome
	tier  Tier
	start int64 // of the load
	now   int64 // when it was decided to serve what was found; 0 of what was loaded
}

// get is the read of Func.Get. The hot hit is answered here, without an allocation; everything else by read.
func (c *core[K, V]) get(ctx context.Context, k K) (v V, err error) {
	frame := depend.From(ctx)
	if frame == nil && c.quick && !c.n.closed.Load() {
		if e := c.findHot(maphash.Comparable(c.seed, k), k, nil); e != nil {
			r := c.n.gate.Read(&e.Life, &e.memo)
			if r.Verdict == fence.Fresh && r.Now < min(e.until, r.Lease) && (c.s.refreshAhead == 0 || !c.ahead(&e.Life, r.Now)) {
				c.requests.add(resultHit)
				return e.value, nil
			}
		}
	}
	a, err := c.read(ctx, frame, k, true)
	if a.value != nil {
		v = *a.value
	}
	return v, err
}

func (c *core[K, V]) lookup(ctx context.Context, k K) (Result[V], error) {
	a, err := c.read(ctx, depend.From(ctx), k, false)
	r := Result[V]{Cache: a.cache, Tier: a.tier}
	if a.value != nil {
		r.Value = *a.value
	}
	if a.now == 0 {
		a.now = c.n.now()
	}
	if a.cache != "" && a.start != begunNever {
		r.Age = time.Duration(max(a.now-a.start, 0))
	}
	return r, err
}

// read is every read but a hot hit outside of a load. hitOnly says that of a hit only the value is asked for.
func (c *core[K, V]) read(ctx context.Context, frame *depend.Frame, k K, hitOnly bool) (answer[V], error) {
	buf := buffer()
	defer release(buf)
	if c.n.closed.Load() {
		text, err := c.text(buf, k)
		if err != nil {
			return answer[V]{}, c.refuse(err)
		}
		return c.direct(ctx, frame, k, text)
	}
	var e candidate[V]
	if frame == nil && hitOnly {
		switch how, err := c.find(&e, k, buf, false); {
		case err != nil:
			return answer[V]{}, c.refuse(err)
		case how == fresh && e.negative == 0 && !c.ahead(&e.Life, e.now):
			c.requests.add(resultHit)
			return answer[V]{value: e.value, cache: Hit}, nil
		case how == unusable:
			return c.miss(ctx, nil, &reading{}, k, buf, &flight.Ask{})
		}
	}
	rd := c.reading(frame)
	ask := c.ask(ctx, &rd)
	if ask.Need == 0 {
		if a, ok, err := c.cached(ctx, frame, &rd, k, buf, byGet); ok {
			return a, err
		}
	}
	return c.miss(ctx, frame, &rd, k, buf, &ask)
}

// miss loads k. The clock is noted here, once: after the token was waited for, and before any load is joined.
func (c *core[K, V]) miss(ctx context.Context, frame *depend.Frame, rd *reading, k K, buf *[]byte, ask *flight.Ask) (answer[V], error) {
	text, err := c.text(buf, k)
	if err != nil {
		return answer[V]{}, c.refuse(err)
	}
	ask.Clock, ask.Leased = c.n.gate.Ask()
	return c.fly(ctx, frame, rd, k, string(text), ask)
}

// refuse counts a key that can't be one.
func (c *core[K, V]) refuse(err error) error {
	c.requests.add(resultError)
	return err
}

// reading is how frame wants reads to be made. A load of another node is nobody this node's loads could wait for.
func (c *core[K, V]) reading(frame *depend.Frame) reading {
	rd := readingOf(frame)
	if rd.node != c.n {
		rd.load = nil
	}
	if rd.tree != nil && rd.tree.n != c.n {
		rd.tree = nil
	}
	return rd
}

// ask waits for the token of the context, and says what the read bypasses for where it was not reached. The clock is noted
// afterwards, and only once.
func (c *core[K, V]) ask(ctx context.Context, rd *reading) flight.Ask {
	a := flight.Ask{Parent: rd.load}
	if rd.tree != nil {
		a.Since = rd.tree.since
	}
	switch {
	case rd.bypass:
		a.Need, a.Offer = flight.All, flight.All
	case !rd.token.IsZero() && !c.n.reach(ctx, rd):
		a.Need, a.Offer = c.n.level(rd.token)
	}
	return a
}

// reach waits for a token as long as its reads have time left.
func (n *Node) reach(ctx context.Context, rd *reading) bool {
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

// begunNever is the start of what has no age.
const begunNever = math.MinInt64

// note records a read for the load that makes it; hashes are an entry's, with the any hashes behind.
func (c *core[K, V]) note(frame *depend.Frame, hashes []uint64, expires int64) {
	if frame != nil {
		var room [8]depend.Label
		frame.Record.Read(c.n, appendLabels(room[:0], hashes), expires)
	}
}

// candidate is an entry found in a tier. It has no labels where nobody asked for them.
type candidate[V any] struct {
	entry
	value *V
	tier  Tier
	now   int64
}

// asker is which method of the function reads.
type asker int

const (
	byGet     asker = iota // or by Lookup
	byGetMany              // for which that a batch has left a key out is an answer
	byPeek                 // which starts no refresh
)

// cached answers from memory, if it may; ok is also true where k is refused. An answer without a value and an error is that there is
// none.
func (c *core[K, V]) cached(ctx context.Context, frame *depend.Frame, rd *reading, k K, buf *[]byte, by asker) (a answer[V], ok bool, err error) {
	var e candidate[V]
	how, err := c.find(&e, k, buf, frame != nil)
	if err != nil {
		return a, true, c.refuse(err)
	}
	if how == unusable || e.negative == negativeAbsent && by != byGetMany {
		return a, false, nil
	}
	a = answer[V]{value: e.value, cache: Hit, tier: e.tier, start: e.Start, now: e.now}
	expires, result := e.Expires, resultHit
	switch {
	case how != fresh:
		a.cache, expires, result = Stale, 0, resultStale
	case e.negative > 0:
		a.cache, result = Negative, resultNegative
	}
	c.requests.add(result)
	c.note(frame, e.Labels, expires)
	if by != byPeek && (how == stale || how == fresh && c.ahead(&e.Life, e.now)) {
		if text, err := c.text(buf, k); err == nil {
			c.refresh(ctx, *rd, k, string(text))
		}
	}
	switch e.negative {
	case 0:
		return a, true, nil
	case negativeAbsent:
		a.value = nil
		return a, true, nil
	}
	return a, true, c.s.negative[e.negative-1]
}

// find looks into the hot tier and, unless that has what is fresh, into bulk. labels asks for the entry's labels. The text of k is
// written into buf where it is needed.
func (c *core[K, V]) find(found *candidate[V], k K, buf *[]byte, labels bool) (how serving, err error) { //nolint:gocyclo // one way through both tiers
	var text []byte
	if c.byText {
		if text, err = c.text(buf, k); err != nil {
			return unusable, err
		}
	}
	var hash uint64
	if !c.s.withoutHot {
		hash = c.hotKey(k, text)
		if e := c.findHot(hash, k, text); e != nil {
			r := c.n.gate.Read(&e.Life, &e.memo)
			if how = c.serve(&e.Life, r); how != unusable {
				*found = candidate[V]{entry: e.entry, value: &e.value, tier: Hot, now: r.Now}
			}
			if how == fresh {
				return how, nil
			}
		}
	}
	if c.s.withoutBulk {
		return how, nil
	}
	if text, err = c.text(buf, k); err != nil {
		return unusable, err
	}
	b, ok := c.n.tiers.find(text)
	if !ok {
		return how, nil
	}
	var room [12]uint64 // on the stack: the labels of nearly every entry
	e, rawLabels, encoded, ok := parseEntry(b, room[:])
	if !ok {
		return how, nil
	}
	r := c.n.gate.Read(&e.Life, nil)
	bulk := c.serve(&e.Life, r)
	if bulk == unusable || how != unusable && e.Start <= found.Start {
		return how, nil
	}
	v := new(V)
	if e.negative == 0 && !e.null {
		if err = c.decode(encoded, v); err != nil {
			c.tellUnread(err)
			return how, nil
		}
	}
	found.value, found.tier, found.now, found.negative = v, Bulk, r.Now, e.negative
	found.null = e.null
	found.Birth, found.Start, found.Expires, found.End = e.Birth, e.Start, e.Expires, e.End
	found.Labels = nil // e's stand in this call's room
	promote := bulk == fresh && !c.s.withoutHot
	if labels || promote {
		found.Labels = parseLabels(rawLabels)
	}
	if promote {
		c.promote(hash, k, text, &found.entry, v, encoded)
	}
	return bulk, nil
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
	if c.n.closed.Load() || rd.bypass || !rd.token.IsZero() && !c.n.bus.Reached(rd.token) {
		c.note(frame, nil, 0)
		return v, false
	}
	buf := buffer()
	defer release(buf)
	a, ok, err := c.cached(ctx, frame, &rd, k, buf, byPeek)
	if !ok {
		c.note(frame, nil, 0) // what would have been there, and with which labels, is not known
	}
	if ok && err == nil {
		return *a.value, true
	}
	return v, false
}
