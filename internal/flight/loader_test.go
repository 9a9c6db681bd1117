package flight_test

import (
	"errors"
	"strconv"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
)

// run starts the load of one key or several; each ends its own flight.
func (w *world) run(l *loading, start int64, bypass bool, flights []flown) {
	l.record = depend.NewRecord(w)
	if w.fault == tokensForgottenInLoaders {
		l.offer = 0
	}
	w.open(l)
	w.loads = append(w.loads, l.load)
	w.start(func(t *task) {
		own, value, err := known{}, known{}, error(nil)
		for _, k := range l.keys {
			t.pause()
			own[k] = w.truth[k]
		}
		if w.rng.IntN(3) == 0 {
			t.sleep(w, w.now+int64(w.rng.IntN(2*maxStaleness)))
		}
		for _, k := range l.keys {
			if e := w.children(t, k, l, value); e != nil {
				err = e
			}
		}
		if err == nil && w.rng.IntN(8) == 0 {
			err = errLoad
		}
		recorded := l.record.Close()
		t.pause()
		for _, f := range flights {
			labels := append([]depend.Label{depend.Key("f", strconv.Itoa(f.key)), depend.All()}, recorded.Set.Labels()...)
			mine := known{f.key: own[f.key]}
			mine.merge(value)
			o := &outcome{value: mine, loaded: true, own: own[f.key], err: err, labels: labels, life: fence.Life{
				Birth: f.flight.Start, Start: start, Expires: min(start+ttl, recorded.Expires), End: start + maxTTL, Labels: hashes(labels),
			}}
			if w.fault == bornAfterTheLoad {
				o.life.Birth = w.gate.Clock()
			}
			o.valid = w.gate.Valid(&o.life)
			t.pause()
			ended := w.end(f.key, f.flight, o)
			l.ended[f.key] = true
			t.pause()
			if ended && err == nil && !bypass {
				w.store(f.key, o)
			}
		}
	})
}

// children reads what the load of k reads, one by one or all at once. A loader may make do without what it gave up on.
func (w *world) children(t *task, k int, l *loading, value known) (err error) {
	var outcomes []*outcome
	if w.crossing && len(w.reads[k]) > 1 && w.rng.IntN(2) == 0 {
		outcomes = w.getMany(t, w.reads[k], l.offer, l)
	} else {
		for _, c := range w.reads[k] {
			t.pause()
			outcomes = append(outcomes, w.get(t, c, l.offer, l))
		}
	}
	for _, o := range outcomes {
		value.merge(o.value)
		if o.err != nil && !errors.Is(o.err, errGaveUp) {
			err = o.err
		}
	}
	return err
}

func (w *world) store(k int, o *outcome) {
	var have *fence.Life
	if e := w.cache[k]; e != nil {
		have = &e.life
	}
	if w.now < o.life.Expires && w.gate.Admit(&o.life, have) {
		if have != nil && have.Start > o.life.Start {
			w.fail("key %d: what began to load at %d is kept over what began at %d", k, o.life.Start, have.Start)
		}
		w.cache[k] = &cached{life: o.life, labels: o.labels, value: o.value}
	}
}

func hashes(labels []depend.Label) []uint64 {
	var hs []uint64
	for _, l := range labels {
		hs = append(hs, l.Hash)
	}
	return hs
}
