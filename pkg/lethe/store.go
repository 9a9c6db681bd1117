package lethe

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/pkg/event"
)

// ttlOf is the time to live of what a load brought, before jitter.
func (c *core[K, V]) ttlOf(r *depend.Recorded) time.Duration {
	if r.TTL > 0 {
		return min(r.TTL, c.n.cfg.MaxTTL)
	}
	return c.s.ttl
}

// jittered shortens a TTL by up to 10 %, so that what was loaded together is not loaded together again.
func jittered(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1)) //nolint:gosec // jitter is no secret
}

// remembers returns one more than the index of the error in WithNegative that err is, 0 if none.
func (s *settings) remembers(err error) uint8 {
	for i, e := range s.negative {
		if errors.Is(err, e) {
			return uint8(i + 1)
		}
	}
	return 0
}

// keep completes an outcome and stores it, if it may be.
func (j *job[K, V]) keep(t *task[K, V], o *outcome[V], rec *depend.Recorded, ttl time.Duration) {
	c := j.c
	var set labelSet
	set.add(c.label)
	set.add(c.keyLabel(c.canonical(t.text)))
	for _, l := range rec.Set.Labels() {
		set.add(l)
	}
	legal := rec.Illegals == 0
	if o.err == nil && !o.absent && c.tags != nil {
		legal = c.addTags(&set, t.key, &o.value) && legal
	}

	stale, negative := c.s.stale, uint8(0)
	if o.err != nil {
		negative = c.s.remembers(o.err)
		ttl, stale = c.s.negativeTTL, 0
	}
	if o.absent && len(c.s.negative) > 0 {
		negative, ttl, stale = negativeAbsent, c.s.negativeTTL, 0
	}
	labels := set.labels()
	if slices.ContainsFunc(labels, depend.Label.Collapsed) {
		c.tellCollapsed()
	}
	expires, end := c.span(j.start, jittered(ttl), stale, rec.Expires)
	e := newEntry(t.born, j.start, expires, end, labels)
	e.negative = negative
	o.fence = e.Life
	o.keepable = legal && !rec.NoStore && (o.err == nil && !o.absent || negative > 0)
	if !j.store || !o.keepable || c.n.now() >= expires {
		return
	}
	if c.store(t.key, t.text, &e, &o.value) {
		o.expires = expires
		c.auditStored(t.key, t.text, &e.Life)
	}
}

// tellCollapsed counts a load that depends on more than an entry can carry.
func (c *core[K, V]) tellCollapsed() {
	c.collapsed.Add(1)
	c.collapsedOnce.Do(func() {
		c.n.log.Warn("lethe: an entry depends on more labels than it can carry, so any event about the same functions or families of tags makes it stale; fewer tags or fewer reads in one load keep it exact (see WithTags)",
			"function", c.name, "most", depend.MaxLabels)
	})
}

// addTags adds the labels of WithTags; it reports false for a tag that nothing could ever invalidate.
func (c *core[K, V]) addTags(set *labelSet, k K, v *V) bool {
	tags, err := c.tagsOf(k, v)
	if err != nil {
		c.n.warn("tags:"+c.name, "lethe: WithTags failed, the value is not stored", "function", c.name, "error", err)
		return false
	}
	var room [8]depend.Label
	illegal, first := 0, ""
	for _, tag := range tags {
		if event.CheckTag(tag) != nil {
			illegal++
			if illegal == 1 {
				first = tag
			}
			continue
		}
		for _, l := range depend.AppendTag(room[:0], tag) {
			set.add(l)
		}
		c.n.labels.addTag(tag)
	}
	c.n.illegalTags(c.name, illegal, first)
	return illegal == 0
}

func (c *core[K, V]) tagsOf(k K, v *V) (tags []string, err error) {
	defer c.n.caught("WithTags", c.name, &err)
	return c.tags(k, *v), nil
}

// labelSet gathers the labels of an entry: as depend.Set does, and where they are few, as nearly always, in a place of its own.
type labelSet struct {
	room  [12]depend.Label
	few   int
	many  depend.Set
	grown bool
}

func (s *labelSet) add(l depend.Label) {
	if s.grown {
		s.many.Add(l)
		return
	}
	if slices.Contains(s.room[:s.few], l) {
		return
	}
	if s.few < len(s.room) {
		s.room[s.few] = l
		s.few++
		return
	}
	s.grown = true
	s.many.Add(s.room[:]...)
	s.many.Add(l)
}

func (s *labelSet) labels() []depend.Label {
	if s.grown {
		return s.many.Labels()
	}
	return s.room[:s.few]
}

//nolint:gochecknoglobals // a pool of buffers knows nothing of who fills them
var buffers = sync.Pool{}

// buffer returns an empty one.
func buffer() *[]byte {
	b, ok := buffers.Get().(*[]byte)
	if !ok {
		b = new([]byte)
	}
	*b = (*b)[:0]
	return b
}

// maxPooled bounds a buffer that is kept for the next user: a node that once had a value of 16 MiB does not keep as much.
const maxPooled = 64 << 10

// release gives a buffer back.
func release(b *[]byte) {
	if cap(*b) <= maxPooled {
		buffers.Put(b)
	}
}

// store writes an entry to the tiers, unless one that began to load later is there or it is invalid already. It reports whether
// the entry is somewhere.
func (c *core[K, V]) store(k K, text string, e *entry, v *V) bool {
	key, buf := buffer(), buffer()
	defer release(key)
	defer release(buf)
	*key = append(*key, text...)
	bulk := !c.s.withoutBulk
	e.null = e.negative == 0 && c.isNil(v)
	var differs differsError
	if bulk {
		*buf = e.append(*buf)
		if e.negative == 0 && !e.null {
			head := len(*buf)
			err := c.encode(buf, v)
			if err == nil {
				if err = c.verify((*buf)[head:], v); errors.As(err, &differs) {
					err = nil
				}
			}
			if err != nil {
				c.tellUnwritten(err)
				return false
			}
		}
	}
	hash := c.hotKey(k, *key)
	mu := c.n.tiers.lock(hash)
	mu.Lock()
	defer mu.Unlock()
	var room [17]uint64
	if !c.n.gate.Admit(&e.Life, c.stored(hash, k, *key, room[:])) {
		if c.n.fence.Check(e.Birth, e.Labels...) != fence.Fresh {
			c.loadsFenced.Add(1)
		}
		return false
	}
	kept := false
	switch {
	case differs.path != "":
		c.refuseBulk(text, differs)
	case bulk:
		kept = c.setBulk(text, *buf)
	}
	if !c.s.withoutHot && c.setHot(hash, k, *key, e, v, (*buf)[min(headerSize+(len(e.Labels)-1)*labelSize, len(*buf)):]) {
		kept = true
	}
	return kept
}

// setBulk puts an encoded entry into bulk. One that is too large takes the place of an earlier one with nothing.
func (c *core[K, V]) setBulk(text string, encoded []byte) bool {
	t := c.n.tiers
	if t.fits(text, encoded) && t.bulk.Set(text, encoded) == nil {
		return true
	}
	_ = t.bulk.Delete(text)
	t.bulkTooLarge.Add(1)
	c.tooLarge[0].Do(func() {
		c.n.log.Warn("lethe: a value is too large for the bulk tier and is not kept there; a larger Config.MaxBytes has a larger bound (see its doc)",
			"function", c.name, "bytes", len(encoded), "most", t.bulkMost)
	})
	return false
}

// verify finds a value that would come back different.
func (c *core[K, V]) verify(encoded []byte, v *V) (err error) {
	defer c.n.caught("codec", c.name, &err)
	return comesBack(c.codec, encoded, v)
}

// tellUnwritten logs the first value of the function that its codec could not write.
func (c *core[K, V]) tellUnwritten(err error) {
	c.encodeFailed.Do(func() {
		c.n.log.Error("lethe: a value could not be encoded and is not stored", "function", c.name, "error", err)
	})
}

// tellUnread logs the first value of the function that its codec could not read.
func (c *core[K, V]) tellUnread(err error) {
	c.decodeFailed.Do(func() { c.n.log.Error("lethe: a cached value could not be decoded", "function", c.name, "error", err) })
}

// refuseBulk keeps a value out of bulk that would come back different; the hot tier may have it.
func (c *core[K, V]) refuseBulk(text string, err error) {
	_ = c.n.tiers.bulk.Delete(text)
	c.n.tiers.bulkDiffers.Add(1)
	c.differs.Do(func() {
		c.n.log.Warn("lethe: a value would come back from the bulk tier different and is not kept there", "function", c.name, "error", err)
	})
}

// isNil says whether a value is nil, which no codec is asked to write.
func (c *core[K, V]) isNil(v *V) bool { return c.nils && reflect.ValueOf(v).Elem().IsNil() }

// encode appends a value.
func (c *core[K, V]) encode(buf *[]byte, v *V) (err error) {
	defer c.n.caught("codec", c.name, &err)
	b, err := appendValue(c.codec, *buf, *v)
	if err == nil {
		*buf = b
	}
	return err
}

// decode reads one.
func (c *core[K, V]) decode(b []byte, v *V) (err error) {
	defer c.n.caught("codec", c.name, &err)
	return c.codec.Decode(b, v)
}

// stored is the life of what stands in the tiers now, nil where nothing does.
func (c *core[K, V]) stored(hash uint64, k K, text []byte, room []uint64) (have *fence.Life) {
	if !c.s.withoutHot {
		if h := c.findHot(hash, k, text); h != nil {
			have = &h.Life
		}
	}
	if c.s.withoutBulk {
		return have
	}
	if b, ok := c.n.tiers.find(text); ok {
		if e, _, _, ok := parseEntry(b, room); ok && (have == nil || e.Start > have.Start) {
			have = &fence.Life{Birth: e.Birth, Start: e.Start, Expires: e.Expires, End: e.End}
		}
	}
	return have
}

// promote copies an entry of the bulk tier into the hot one, with its own birth, expiry and labels.
func (c *core[K, V]) promote(hash uint64, k K, text []byte, e *entry, v *V, encoded []byte) {
	mu := c.n.tiers.lock(hash)
	mu.Lock()
	defer mu.Unlock()
	var have *fence.Life
	if h := c.findHot(hash, k, text); h != nil {
		have = &h.Life
	}
	if c.n.gate.Admit(&e.Life, have) {
		c.setHot(hash, k, text, e, v, encoded)
	}
}

// setHot puts a decoded value into the hot tier, unless it is too large for it; whether it stays is for its admission to say. What
// it weighs is the larger of a walk through it and of its encoding, which may be the denser one.
func (c *core[K, V]) setHot(hash uint64, k K, text []byte, e *entry, v *V, encoded []byte) bool {
	h := &hotEntry[K, V]{c: c, value: *v, entry: *e}
	t := c.n.tiers
	held, known := t.weights.weigh(reflect.ValueOf(&h.value))
	size := int64(unsafe.Sizeof(*h)) + hotOverhead + int64(len(text)) + max(held, int64(len(encoded)))
	if e.negative == 0 {
		h.until = e.Expires
	}
	if w := words(len(e.Labels) - 1); w <= len(h.room) {
		h.Labels = h.room[:len(e.Labels):w]
		copy(h.room[:w], e.Labels[:w])
	} else {
		size += int64(w) * 8
	}
	sampled := c.samples(hash) && e.negative == 0 && !e.null && len(encoded) <= maxSampled
	if c.byText || sampled {
		h.more = new(hotMore)
	}
	if c.byText {
		h.more.text = string(text)
	} else {
		h.key = k
	}
	if sampled {
		h.more.bytes = slices.Clone(encoded)
		size += int64(len(encoded))
	}
	if !known { // the largest, so that few of them are kept
		size = max(size, t.hotMost)
	}
	if size > t.hotMost {
		t.hot.Invalidate(hash)
		t.hotTooLarge.Add(1)
		c.tooLarge[1].Do(func() {
			c.n.log.Warn("lethe: a value is too large for the hot tier and is not kept there; the largest is a quarter of Config.MaxHotBytes",
				"function", c.name, "bytes", size, "most", t.hotMost)
		})
		return false
	}
	h.size = uint32(min(size, math.MaxUint32))
	t.setHot(hash, h)
	return true
}

func (e *hotEntry[K, V]) bytes() uint32 { return e.size }
