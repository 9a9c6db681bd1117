package lethe

import "reflect"

// sampleOf is how many hot entries there are for each whose value is watched for changes by callers.
const sampleOf = 16

// maxSampled is the largest encoded value that is watched: it is kept twice.
const maxSampled = 64 << 10

// samples reports whether the value of an entry is watched: hot values are shared, and a caller that changes one changes it for
// all. What was stored is kept beside it.
func (c *core[K, V]) samples(hash uint64) bool { return !c.s.withoutBulk && hash>>8%sampleOf == 0 }

func (e *hotEntry[K, V]) sampled() bool { return e.more != nil && e.more.bytes != nil }

// compare counts a value that is not what was stored: a caller has changed it, for all. Both go through the codec and are
// compared decoded, since a codec need not write equal values equally. A value that does not equal itself (NaN) is passed over.
func (e *hotEntry[K, V]) compare() {
	var stored, again, now V
	err := e.c.guard("codec", func() error {
		b, err := e.c.codec.Append(nil, e.value)
		if err != nil {
			return err
		}
		for _, d := range []struct {
			from []byte
			to   *V
		}{{e.more.bytes, &stored}, {e.more.bytes, &again}, {b, &now}} {
			if err := e.c.codec.Decode(d.from, d.to); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && reflect.DeepEqual(stored, again) && !reflect.DeepEqual(stored, now) {
		e.c.hotModified.Add(1)
	}
}
