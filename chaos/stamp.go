package main

import (
	"context"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/chaos/judge"
)

// stamps are acknowledged invalidations whose stored time the live feeds have not brought yet.
type stamps struct {
	mu   sync.Mutex // guards open
	open []judge.Stored
}

func (s *stamps) add(x judge.Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, x)
}

// asksMost bounds how often one round asks the stream.
const asksMost = 10

// settle looks them up: among what the feeds brought, and after some seconds in the stream itself.
func (s *stamps) settle(ctx context.Context, w *watch, j *judge.Judge) {
	s.mu.Lock()
	open := s.open
	s.open = nil
	s.mu.Unlock()
	asked := 0
	for _, x := range open {
		at, ok := w.find(x.Sequence)
		age := time.Duration(mono() - x.Seen)
		if !ok && age > 3*time.Second && asked < asksMost {
			asked++
			at, ok = w.fetch(ctx, x.Sequence)
		}
		switch {
		case ok:
			x.Stamp, x.Seen = at.stamp, min(x.Seen, at.seen)
			j.Stored(x)
		case age < time.Minute:
			s.add(x)
		}
	}
}
