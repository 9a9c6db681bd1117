package lethe

import (
	"slices"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/internal/fence"
)

// Bounds of one function's audit.
const (
	maxAudited  = 1024 // keys sampled; over it those with the lowest hashes stay, the same ones on all nodes
	maxSuspects = 64   // keys that differed and are looked at again; over it the oldest is dropped, and counted
	sweepEvery  = int64(time.Second)
)

// audited is a key of the sample. What follows text is guarded by the sample's mutex.
type audited struct {
	key  any // the K
	text string
	hash uint64

	labels  []uint64
	end     int64 // of the life of what was stored last
	event   touch // the latest that concerned it
	applied int64 // when
	due     [len(auditAges)]bool
}

// auditCheck is a check that is due at some time.
type auditCheck struct {
	*audited
	age   int // index of auditAges
	at    int64
	doubt *doubt // nil the first time
}

// doubt is an entry that was not what the loader brought.
type doubt struct {
	fence.Life
	since int64 // when the loader had brought something else
}

// sample is the keys of a function that are audited, and the checks of them that are due: at most one a key and age. It is a
// state machine; time comes with each call.
type sample struct {
	most int           // keys, and checks of one age
	wake chan struct{} // something may be due earlier

	mu       sync.Mutex // guards what follows
	keys     map[string]*audited
	last     *audited // the one with the highest hash; nil when it is not known
	byLabel  map[uint64]map[*audited]struct{}
	queues   [len(auditAges)][]*auditCheck // each in the order they are due
	suspects []*auditCheck
	swept    int64
	dropped  uint64
}

func newSample(most int) sample {
	return sample{most: most, wake: make(chan struct{}, 1), keys: map[string]*audited{}, byLabel: map[uint64]map[*audited]struct{}{}}
}

// stored tells that an entry was stored for a key whose hash is in the sample's range.
func (s *sample) stored(key any, text string, hash uint64, l *fence.Life, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.keys[text]
	if a == nil {
		if len(s.keys) >= s.most && !s.room(hash, now) {
			return
		}
		a = &audited{key: key, text: text, hash: hash}
		s.keys[text] = a
		if s.last != nil && hash > s.last.hash {
			s.last = a
		}
	}
	a.end = l.End
	if slices.Equal(a.labels, l.Labels) {
		return
	}
	s.unindex(a)
	a.labels = l.Labels
	for _, h := range a.labels {
		if s.byLabel[h] == nil {
			s.byLabel[h] = map[*audited]struct{}{}
		}
		s.byLabel[h][a] = struct{}{}
	}
}

// room makes room for a key: dead ones go first, and then the one with the highest hash, unless the new one's is higher.
func (s *sample) room(hash uint64, now int64) bool {
	if now-s.swept >= sweepEvery {
		s.swept = now
		for _, a := range s.keys {
			if a.end <= now {
				s.remove(a)
			}
		}
		if len(s.keys) < s.most {
			return true
		}
	}
	if s.last == nil {
		for _, a := range s.keys {
			if s.last == nil || a.hash > s.last.hash {
				s.last = a
			}
		}
	}
	if s.last.hash <= hash {
		return false
	}
	s.remove(s.last)
	return true
}

// forget drops a key that is not in memory any more; stored brings it back.
func (s *sample) forget(a *audited) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[a.text] == a {
		s.remove(a)
	}
}

func (s *sample) remove(a *audited) {
	delete(s.keys, a.text)
	if s.last == a {
		s.last = nil
	}
	s.unindex(a)
}

func (s *sample) unindex(a *audited) {
	for _, h := range a.labels {
		delete(s.byLabel[h], a)
		if len(s.byLabel[h]) == 0 {
			delete(s.byLabel, h)
		}
	}
	a.labels = nil
}

// touched tells which labels an event has raised: the keys that carry one are checked at each age, once.
func (s *sample) touched(hashes []uint64, now int64, by touch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range hashes {
		for a := range s.byLabel[h] {
			a.event, a.applied = by, now
			for i, age := range auditAges {
				if a.due[i] {
					continue
				}
				if len(s.queues[i]) >= s.most { // keys that have left the sample meanwhile
					s.queues[i][0].due[i] = false
					s.queues[i] = s.queues[i][1:]
					s.dropped++
				}
				a.due[i] = true
				s.queues[i] = append(s.queues[i], &auditCheck{audited: a, age: i, at: now + int64(age.after)})
			}
		}
	}
	s.poke()
}

// suspect has a check made again at some time.
func (s *sample) suspect(c *auditCheck, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.suspects) >= maxSuspects {
		s.suspects = s.suspects[1:]
		s.dropped++
	}
	c.at = at
	s.suspects = append(s.suspects, c)
	s.poke()
}

func (s *sample) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// next takes the check that is due first, or says how long there is none.
func (s *sample) next(now int64) (c *auditCheck, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	queue, at := -1, now+int64(time.Hour)
	for i, q := range s.queues {
		if len(q) > 0 && q[0].at < at {
			queue, at = i, q[0].at
		}
	}
	suspect := -1
	for i, c := range s.suspects {
		if c.at < at {
			suspect, at = i, c.at
		}
	}
	switch {
	case at > now:
		return nil, time.Duration(at - now)
	case suspect >= 0:
		c = s.suspects[suspect]
		s.suspects = slices.Delete(s.suspects, suspect, suspect+1)
	default:
		c = s.queues[queue][0]
		c.due[queue] = false
		s.queues[queue] = s.queues[queue][1:]
	}
	return c, 0
}

// why is the latest event that concerned a key, and when it was applied.
func (s *sample) why(a *audited) (by touch, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.event, a.applied
}

// losses is how many checks were dropped.
func (s *sample) losses() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}
