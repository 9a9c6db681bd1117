package lethe

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/pkg/event"
)

// ttlOf is the time to live of what a load brought, before jitter.
func (c *core[K, V]) ttlOf(r depend.Recorded) time.Duration {
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
func (j *job[K, V]) keep(t task[K, V], o *outcome[V], rec depend.Recorded, ttl time.Duration) {
	c := j.c
	var set depend.Set
	set.Add(c.label, c.keyLabel(c.canonical(t.text)))
	set.Add(rec.Set.Labels()...)
	legal := rec.Illegal == ""
	if o.err == nil && !o.absent && c.tags != nil {
		legal = c.addTags(&set, t.key, o.value) && legal
	}
	o.labels = set.Labels()

	stale, negative := c.s.stale, uint8(0)
	if o.err != nil {
		negative = c.s.remembers(o.err)
		ttl, stale = c.s.negativeTTL, 0
	}
	expires, end := c.span(j.start, jittered(ttl), stale, rec.Expires)
	e := newEntry(t.born, j.start, expires, end, o.labels)
	e.negative = negative
	o.fence = e.Life
	if !j.store || o.absent || !legal || rec.NoStore || o.err != nil && negative == 0 || c.n.now() >= expires {
		return
	}
	if c.store(t.key, t.text, e, o.value) {
		o.expires = expires
		c.auditStored(t.key, t.text, &e.Life)
	}
}

// addTags adds the labels of WithTags; it reports false for a tag that nothing could ever invalidate.
func (c *core[K, V]) addTags(set *depend.Set, k K, v V) bool {
	var tags []string
	if err := guard(func() error { tags = c.tags(k, v); return nil }); err != nil {
		c.n.log.Error("lethe: WithTags failed, the value is not stored", "function", c.name, "error", err)
		return false
	}
	var ls []depend.Label
	for _, tag := range tags {
		if event.CheckTag(tag) != nil {
			c.n.illegalTag(c.name, tag)
			return false
		}
		ls = depend.AppendTag(ls[:0], tag)
		set.Add(ls...)
		c.n.labels.addTag(tag)
	}
	return true
}

//nolint:gochecknoglobals // a pool of buffers knows nothing of who fills them
var buffers = sync.Pool{}

func buffer() *[]byte {
	b, ok := buffers.Get().(*[]byte)
	if !ok {
		b = new([]byte)
	}
	return b
}

// store writes an entry to the tiers, unless one that began to load later is there or it is invalid already. It reports whether
// the entry is somewhere.
func (c *core[K, V]) store(k K, text string, e entry, v V) bool {
	buf := buffer()
	defer buffers.Put(buf)
	bulk := !c.s.withoutBulk
	if bulk {
		b := e.append((*buf)[:0])
		if e.negative == 0 {
			if err := guard(func() (err error) { b, err = c.codec.Append(b, v); return err }); err != nil {
				c.encodeFailed.Do(func() {
					c.n.log.Error("lethe: a value could not be encoded and is not stored", "function", c.name, "error", err)
				})
				return false
			}
		}
		*buf = b
	}
	hash := c.hotKey(k, text)
	mu := c.n.tiers.lock(hash)
	mu.Lock()
	defer mu.Unlock()
	if !c.n.gate.Admit(&e.Life, c.stored(hash, k, text)) {
		if c.n.fence.Check(e.Birth, e.hashes()...) != fence.Fresh {
			c.loadsFenced.Add(1)
		}
		return false
	}
	kept := false
	if bulk {
		if err := c.n.tiers.bulk.Set(text, *buf); err != nil {
			c.n.tiers.bulkRejected.Add(1)
		} else {
			kept = true
		}
	}
	if !c.s.withoutHot {
		c.setHot(hash, k, text, e, v, (*buf)[min(headerSize+len(e.labels)*labelSize, len(*buf)):])
		kept = true
	}
	return kept
}

// stored is the life of what stands in the tiers now.
func (c *core[K, V]) stored(hash uint64, k K, text string) *fence.Life {
	var have *fence.Life
	if !c.s.withoutHot {
		if h := c.findHot(hash, k, text); h != nil {
			have = &h.Life
		}
	}
	if c.s.withoutBulk {
		return have
	}
	if b, err := c.n.tiers.bulk.Get(text); err == nil {
		if e, _, _, ok := parseEntry(b, nil); ok && (have == nil || e.Start > have.Start) {
			have = &e.Life
		}
	}
	return have
}

// promote copies an entry of the bulk tier into the hot one, with its own birth, expiry and labels.
func (c *core[K, V]) promote(hash uint64, k K, text string, e entry, v V, encoded []byte) {
	e.carry(e.labels)
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

// setHot puts a decoded value into the hot tier; whether it stays is for its admission to say.
func (c *core[K, V]) setHot(hash uint64, k K, text string, e entry, v V, encoded []byte) {
	h := &hotEntry[K, V]{entry: e, c: c, value: v}
	if c.byText {
		h.text = text
	} else {
		h.key = k
	}
	if c.samples(hash) && e.negative == 0 {
		h.bytes = slices.Clone(encoded)
	}
	c.n.tiers.hot.Set(hash, h)
}
