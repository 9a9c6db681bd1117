package lethe

import (
	"bytes"
	"context"
	"reflect"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/pkg/event"
)

// sight is what an audit compares: an entry that would be served, or what the loader brings now.
type sight[V any] struct {
	entry
	value V
	tier  Tier
}

// look finds what a read would be answered from now as fresh, and leaves no trace: it does not count as a read, promote or refresh.
func (c *core[K, V]) look(k K, text string) (s sight[V], ok bool) {
	fresh := func(l *fence.Life) bool { return c.serve(l, c.n.gate.Read(l, nil)) == fresh }
	if c.n.closed.Load() {
		return s, false
	}
	key := []byte(text)
	if !c.s.withoutHot {
		if h := c.findHot(c.hotKey(k, key), k, key); h != nil && fresh(&h.Life) {
			return sight[V]{h.entry, h.value, Hot}, true
		}
	}
	if c.s.withoutBulk {
		return s, false
	}
	b, ok := c.n.tiers.find(key)
	if !ok {
		return s, false
	}
	e, raw, encoded, ok := parseEntry(b, nil)
	if !ok || !fresh(&e.Life) {
		return s, false
	}
	e.Labels = parseLabels(raw)
	s.entry, s.tier = e, Bulk
	if e.negative == 0 && !e.null && c.codec.Decode(encoded, &s.value) != nil {
		return s, false
	}
	return s, true
}

// bring calls the loader as a read that bypasses: what it reads of other functions is loaded too, and nothing is stored. An error
// that WithNegative remembers is an answer. What is to be compared with a batch's answer that there is none is asked of the batch.
func (c *core[K, V]) bring(k K, with uint8) (s sight[V], err error) {
	ctx, cancel := context.WithTimeout(WithBypass(c.n.stop), c.s.timeout)
	defer cancel()
	if with == negativeAbsent {
		var m map[K]V
		m, err = c.batch(ctx, []K{k})
		var ok bool
		if s.value, ok = m[k]; err == nil && !ok {
			s.negative = negativeAbsent
		}
	} else {
		s.value, err = c.load(ctx, k)
	}
	if err == nil {
		return s, ctx.Err() // out of time, and nobody would have waited
	}
	if s.negative = c.s.remembers(err); s.negative > 0 {
		err = nil
	}
	return s, err
}

// same says whether two answers are the same. A codec need not write equal values equally, and need not keep what makes values
// of Go differ (a time's zone, an empty map for none): they are compared encoded, and where that differs decoded.
func (c *core[K, V]) same(a, b *sight[V]) (bool, error) {
	if a.negative != b.negative {
		return false, nil
	}
	if a.negative > 0 {
		return true, nil
	}
	if c.s.withoutBulk {
		return reflect.DeepEqual(a.value, b.value), nil
	}
	if c.isNil(&a.value) || c.isNil(&b.value) { // no codec is asked to write nil
		return c.isNil(&a.value) && c.isNil(&b.value), nil
	}
	var encoded [2][]byte
	var decoded [2]V
	for i, v := range []V{a.value, b.value} {
		var err error
		if encoded[i], err = appendValue(c.codec, nil, v); err != nil {
			return false, err
		}
	}
	if bytes.Equal(encoded[0], encoded[1]) {
		return true, nil
	}
	for i := range decoded {
		if err := c.codec.Decode(encoded[i], &decoded[i]); err != nil {
			return false, err
		}
	}
	return reflect.DeepEqual(decoded[0], decoded[1]), nil
}

// labelNames are what the entry's labels stand for.
func (c *core[K, V]) labelNames(canonical string, labels []depend.Label) []string {
	key := c.keyLabel(canonical)
	names := make([]string, 0, len(labels))
	for _, l := range labels {
		if l.Hash == key.Hash {
			names = append(names, "its key")
			continue
		}
		names = append(names, c.n.labelName(c.function, key, l, event.Target{}))
	}
	return names
}
