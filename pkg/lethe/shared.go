package lethe

import (
	"reflect"
	"time"
)

// sampleOf is how many hot entries there are for each whose value is watched for changes by callers.
const sampleOf = 16

// maxSampled is the largest encoded value that is watched: it is kept twice.
const maxSampled = 64 << 10

// samples reports whether the value of an entry is watched: hot values are shared, and a caller that changes one changes it for
// all. What was stored is kept beside it.
func (c *core[K, V]) samples(hash uint64) bool { return !c.s.withoutBulk && hash>>8%sampleOf == 0 }

func (e *hotEntry[K, V]) sampled() bool { return e.more != nil && e.more.bytes != nil }

// compare compares a watched value with what was stored.
func (e *hotEntry[K, V]) compare() { e.compareWith(e.more.bytes) }

// verify compares a value with what was stored, also one that is not watched, if bulk still has it of the same load.
func (e *hotEntry[K, V]) verify() {
	switch {
	case e.sampled():
		e.compare()
		return
	case e.negative > 0 || e.null || e.c.s.withoutBulk:
		return
	}
	text := ""
	if e.c.byText {
		text = e.more.text
	} else if t, err := e.c.textOf(e.key); err == nil {
		text = t
	}
	b, ok := e.c.n.tiers.find([]byte(text))
	if !ok {
		return
	}
	if stored, _, encoded, ok := parseEntry(b, nil); ok && stored.Birth == e.Birth && stored.Start == e.Start {
		e.compareWith(encoded)
	}
}

// verifyFor bounds how long Close goes on to compare hot values with what was stored.
const verifyFor = 100 * time.Millisecond

// verify compares what is left in the hot tier with what was stored, before Close drops it. It runs user code, which may end its
// goroutine.
func (n *Node) verify() {
	t := n.memory()
	if t == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		until := n.now() + int64(verifyFor)
		for e := range t.hot.Values() {
			e.verify()
			if n.now() >= until {
				return
			}
		}
	}()
	<-done
}

// compareWith counts and logs a value that is not what was stored: a caller has changed it, for all. Both go through the codec and are
// compared decoded, since a codec need not write equal values equally. A value that does not equal itself (NaN) is passed over.
func (e *hotEntry[K, V]) compareWith(encoded []byte) {
	var stored, again, now V
	err := e.c.guard("codec", func() error {
		b, err := appendValue(e.c.codec, nil, e.value)
		if err != nil {
			return err
		}
		for _, d := range []struct {
			from []byte
			to   *V
		}{{encoded, &stored}, {encoded, &again}, {b, &now}} {
			if err := e.c.codec.Decode(d.from, d.to); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && reflect.DeepEqual(stored, again) && !reflect.DeepEqual(stored, now) {
		e.c.hotModified.Add(1)
		e.c.n.warn("modified:"+e.c.name, "lethe: a caller has changed a value that it shares with all others; copy before you change, or use WithoutHot",
			"event", "value_modified", "function", e.c.name)
	}
}
