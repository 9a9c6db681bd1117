package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// sighting is when a message was stored, by its leader's stamp, and when the driver first saw that it was.
type sighting struct{ stamp, seen int64 }

// watch hears the live feed of every server, on connections that no fault touches.
type watch struct {
	cluster *cluster

	mu    sync.Mutex // guards what follows
	by    map[uint64]sighting
	order []uint64 // of by
	heard int64
}

// watchMost bounds how many sightings are remembered: some minutes of the busiest run.
const watchMost = 1 << 16

func newWatch(c *cluster) (*watch, error) {
	w := &watch{cluster: c, by: map[uint64]sighting{}}
	for _, nc := range c.direct {
		if _, err := nc.Subscribe(event.LiveSubject(fleet, ">"), w.hear); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *watch) hear(m *nats.Msg) {
	now := mono()
	seq, stamp := stampOf(m.Header)
	if seq > 0 {
		w.add(seq, stamp, now)
	}
}

// stampOf reads the server's own headers.
func stampOf(h nats.Header) (seq uint64, at time.Time) {
	seq, err := strconv.ParseUint(h.Get(nats.JSSequence), 10, 64)
	if err != nil {
		return 0, at
	}
	at, err = time.Parse(time.RFC3339Nano, h.Get(nats.JSTimeStamp))
	if err != nil {
		return 0, at
	}
	return seq, at
}

func (w *watch) add(seq uint64, stamp time.Time, seen int64) {
	s := sighting{stamp: onMono(stamp), seen: seen}
	w.mu.Lock()
	defer w.mu.Unlock()
	if have, ok := w.by[seq]; ok {
		have.seen = min(have.seen, seen)
		w.by[seq] = have
		return
	}
	w.heard++
	if len(w.order) >= watchMost {
		delete(w.by, w.order[0])
		w.order = w.order[1:]
	}
	w.by[seq] = s
	w.order = append(w.order, seq)
}

func (w *watch) find(seq uint64) (sighting, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.by[seq]
	return s, ok
}

// fetch asks the stream for what the feeds did not bring.
func (w *watch) fetch(ctx context.Context, seq uint64) (sighting, bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s, err := w.cluster.js.Stream(ctx, event.StreamName(fleet))
	if err != nil {
		return sighting{}, false
	}
	m, err := s.GetMsg(ctx, seq)
	if err != nil {
		return sighting{}, false
	}
	w.add(seq, m.Time, mono())
	return w.find(seq)
}
