package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// fired is what was read while everything changed.
type fired struct{ reads, changes, files int }

// latest is the newest revision of a file that was announced, and the token that says so.
type latest struct {
	revision int
	token    string
}

// fire lets files change as fast as they can while all nodes are read: whoever brings the token of a change must not be
// served anything older.
func (s *story) fire(ctx context.Context) error {
	const span = 3 * time.Second
	names := s.files.below("units/si/")
	s.say("\nUnder fire: %d files change all the time for %s; every read brings the token of the last change it knows of", len(names), span)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	known := make([]atomic.Pointer[latest], len(names))
	for i := range known {
		known[i].Store(&latest{})
	}
	end := time.Now().Add(span)
	var reads, changes atomic.Int64
	problems := make(chan error, 2*len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { // one writer a file
			for revision := 100; time.Now().Before(end); revision++ {
				if err := s.files.revise(name, revision); err != nil {
					problems <- err
					return
				}
				token, err := s.nodes[rand.IntN(len(s.nodes))].invalidate(ctx, name)
				if err != nil {
					problems <- err
					return
				}
				known[i].Store(&latest{revision, token})
				changes.Add(1)
			}
		})
		wg.Go(func() { // and one reader, of any file
			for time.Now().Before(end) {
				j := rand.IntN(len(names))
				floor := known[j].Load()
				n := s.nodes[rand.IntN(len(s.nodes))]
				got, err := n.read(ctx, names[j], floor.token)
				if err == nil && revisionOf(got.Value.Content) < floor.revision {
					err = fmt.Errorf("%s served revision %d of %s (%s) to a reader with the token of revision %d",
						n.name, revisionOf(got.Value.Content), names[j], got.Cache, floor.revision)
				}
				if err != nil {
					problems <- err
					return
				}
				reads.Add(1)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-problems:
		return err
	default:
	}
	s.fired = fired{int(reads.Load()), int(changes.Load()), len(names)}
	s.say("  %d changes announced, %d reads, none older than its token", s.fired.changes, s.fired.reads)
	return nil
}
