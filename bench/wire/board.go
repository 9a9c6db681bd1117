package wire

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// board keeps in memory what the listeners of one process heard, and when, until it is asked: to report while a round is
// running would disturb it.
type board struct{ round atomic.Pointer[round] }

// round is what is expected: each listener hears n keys, of the numbers from base on.
type round struct {
	base, n int
	timed   bool             // each key's arrival counts, not only the last one's
	stamps  [][]atomic.Int64 // by listener and key, if timed
	heard   []heard
}

// heard is one listener's count. They stand apart, so that two of them do not share a cache line.
type heard struct {
	count, last atomic.Int64
	_           [48]byte
}

func (b *board) begin(listeners, base, n int, timed bool) {
	r := &round{base: base, n: n, timed: timed, heard: make([]heard, listeners)}
	for range listeners {
		if timed {
			r.stamps = append(r.stamps, make([]atomic.Int64, n))
		}
	}
	b.round.Store(r)
}

// arrived tells that a listener heard of the key in text at a moment.
func (b *board) arrived(listener int, at int64, text []byte) {
	r := b.round.Load()
	if r == nil {
		return
	}
	if r.timed {
		i := number(text) - r.base
		if i < 0 || i >= r.n || !r.stamps[listener][i].CompareAndSwap(0, at) {
			return // of another round, or heard twice
		}
	}
	r.counted(listener, at, 1)
}

// counted tells that a listener heard of some keys at once.
func (r *round) counted(listener int, at int64, keys int) {
	h := &r.heard[listener]
	h.last.Store(at)
	h.count.Add(int64(keys))
}

// collect waits until each listener has heard all, and returns when the last one had: each key, or the last if not timed.
func (b *board) collect(ctx context.Context) (string, error) {
	r := b.round.Load()
	missing := func(h *heard) bool { return h.count.Load() < int64(r.n) }
	all := poll(ctx, patience-5*time.Second, func() bool {
		for i := range r.heard {
			if missing(&r.heard[i]) {
				return false
			}
		}
		return true
	})
	var last int64
	for i := range r.heard {
		h := &r.heard[i]
		if got := h.count.Load(); !all && missing(h) || got > int64(r.n) {
			return "", fmt.Errorf("listener %d heard %d keys of %d", i, got, r.n)
		}
		last = max(last, h.last.Load())
	}
	if !r.timed {
		return strconv.FormatInt(last, 10), nil
	}
	at := make([]string, r.n)
	for i := range at {
		stamps := make([]int64, 0, len(r.stamps))
		for _, row := range r.stamps {
			stamps = append(stamps, row[i].Load())
		}
		at[i] = strconv.FormatInt(slices.Max(stamps), 10)
	}
	return strings.Join(at, " "), nil
}
