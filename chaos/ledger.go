package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
)

// ledger is every acknowledged invalidation of the run, to be found in the stream's log at the end.
type ledger struct {
	mu    sync.Mutex                 // guards what follows
	said  map[int64]map[uint64]bool  // write -> hashes of its targets, not found yet
	mixed map[uint64]map[uint64]bool // sequence -> hashes of targets of which it has to name one, for each write of it
	items map[string]bool            // reasons of manifests committed, not found yet
	top   map[int64]uint64           // write -> the sequence of its token
	count int
	first uint64 // sequence of the log when the run began; what retention has dropped can't be told
}

func newLedger() *ledger {
	return &ledger{said: map[int64]map[uint64]bool{}, mixed: map[uint64]map[uint64]bool{}, top: map[int64]uint64{}, items: map[string]bool{}}
}

func hashOf(t event.Target) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.String())) // which says whether it is soft
	return h.Sum64()
}

func (l *ledger) add(w write, t event.Token) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	if !w.said {
		// An event of several subjects has the highest sequence; which target stands there is not known.
		m := l.mixed[t.Sequence()]
		if m == nil {
			m = map[uint64]bool{}
			l.mixed[t.Sequence()] = m
		}
		for _, target := range w.targets {
			m[hashOf(target)] = true
		}
		return
	}
	l.top[w.id] = t.Sequence()
	m := map[uint64]bool{}
	for _, target := range w.targets {
		m[hashOf(target)] = true
	}
	l.said[w.id] = m
}

// commit notes a change of a manifest, which has to be announced with that reason.
func (l *ledger) commit(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items[reason] = true
}

// missing reads the whole log and returns what was acknowledged and is not there.
func (l *ledger) missing(ctx context.Context, js jetstream.JetStream) (lost []string, read int, err error) {
	s, err := js.Stream(ctx, event.StreamName(fleet))
	if err != nil {
		return nil, 0, err
	}
	state := s.CachedInfo().State
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return nil, 0, err
	}
	it, err := c.Messages(jetstream.PullMaxMessages(1000))
	if err != nil {
		return nil, 0, err
	}
	defer it.Stop()
	stop := context.AfterFunc(ctx, it.Stop)
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for seq := state.FirstSeq - 1; seq < state.LastSeq; {
		m, err := it.Next()
		if err != nil {
			return nil, read, fmt.Errorf("the log at %d of %d: %w", seq, state.LastSeq, err)
		}
		md, err := m.Metadata()
		if err != nil {
			return nil, read, err
		}
		if md.Sequence.Stream != seq+1 {
			lost = append(lost, fmt.Sprintf("the log has a hole between %d and %d", seq, md.Sequence.Stream))
		}
		seq = md.Sequence.Stream
		read++
		l.found(seq, event.Decode(fleet, m.Subject(), m.Headers(), m.Data()))
	}
	return append(lost, l.left(state.FirstSeq)...), read, nil
}

func (l *ledger) found(seq uint64, r event.Received) {
	delete(l.items, r.Reason)
	said, ok := parseReason(r.Reason)
	for _, t := range r.Targets {
		if ok {
			delete(l.said[said.write], hashOf(t))
		}
		if l.mixed[seq][hashOf(t)] {
			delete(l.mixed, seq)
		}
	}
}

// left names what was not found; what retention has dropped can't be told.
func (l *ledger) left(first uint64) (lost []string) {
	for id, targets := range l.said {
		if len(targets) > 0 && l.top[id] >= first {
			lost = append(lost, fmt.Sprintf("write %d, acknowledged at %d: %d of its targets are not in the log", id, l.top[id], len(targets)))
		}
	}
	for reason := range l.items {
		if first <= l.first {
			lost = append(lost, fmt.Sprintf("%s was committed and is not in the log", reason))
		}
	}
	for seq := range l.mixed {
		if seq >= first {
			lost = append(lost, fmt.Sprintf("sequence %d was acknowledged for targets that it does not name", seq))
		}
	}
	return lost
}

// audit is missing with patience for a cluster that has just healed.
func (l *ledger) audit(ctx context.Context, js jetstream.JetStream) (lost []string, read int, err error) {
	for range 3 {
		one, cancel := context.WithTimeout(ctx, 2*time.Minute)
		lost, read, err = l.missing(one, js)
		cancel()
		if err == nil {
			return lost, read, nil
		}
	}
	return lost, read, err
}
