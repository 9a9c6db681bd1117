package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// busProcess is the NATS server of a world: an address and a store that outlive its processes.
type busProcess struct {
	dir, logs string
	port      int

	dying sync.Mutex // held by who kills it, until it is back

	mu   sync.Mutex // guards proc
	proc *process
}

func startBus(ctx context.Context, dir string) (*busProcess, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	b := &busProcess{dir: filepath.Join(dir, "bus"), logs: dir, port: port}
	if err := b.start(); err != nil {
		return nil, err
	}
	err = b.ready(ctx)
	return b, err
}

func (b *busProcess) url() string { return "nats://" + local(b.port) }

func (b *busProcess) process() *process {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.proc
}

func (b *busProcess) start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, err := spawn(b.logs, "bus", "bus", "-dir", b.dir, "-listen", local(b.port))
	if err != nil {
		return err
	}
	go p.reap()
	b.proc = p
	return nil
}

func (b *busProcess) ready(ctx context.Context) error {
	return poll(ctx, time.Minute, "the bus answers", func(context.Context) error {
		nc, err := nats.Connect(b.url(), nats.Timeout(2*time.Second))
		if err == nil {
			nc.Close()
		}
		return err
	})
}

// harm does one thing after the other until ctx ends; each is undone before it returns.
func (w *world) harm(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		wait(ctx, between(r, 200*time.Millisecond, 2500*time.Millisecond))
		if ctx.Err() != nil {
			return
		}
		s := w.sides[r.IntN(len(w.sides))]
		var (
			name string
			do   func(context.Context, *rand.Rand) error
		)
		switch p := r.IntN(100); {
		case p < 25:
			name, do = "stop a relay", func(ctx context.Context, r *rand.Rand) error { return w.stopWorker(ctx, s, r) }
		case p < 35:
			name, do = "stop a process", func(ctx context.Context, r *rand.Rand) error {
				return freezeFor(ctx, s.citizens[r.IntN(len(s.citizens))].process(), spell(r))
			}
		case p < 45:
			name, do = "kill a process", func(ctx context.Context, r *rand.Rand) error {
				return w.killCitizen(ctx, s, s.citizens[r.IntN(len(s.citizens))], r)
			}
		case p < 55:
			name, do = "stop the bus", func(ctx context.Context, r *rand.Rand) error {
				return freezeFor(ctx, w.bus.process(), spell(r))
			}
		case p < 62:
			name, do = "kill the bus", w.killBus
		case w.pair == nil:
			continue
		case p < 82:
			name, do = "terminate backends", func(ctx context.Context, r *rand.Rand) error {
				return w.pair.terminate(ctx, 1+r.IntN(8), stalled(r))
			}
		case p < 92:
			name, do = "kill PostgreSQL", func(ctx context.Context, r *rand.Rand) error {
				return w.pair.crash(ctx, stalled(r), between(r, 0, 2*time.Second))
			}
		default:
			name, do = "promote the standby", func(ctx context.Context, r *rand.Rand) error {
				if err := w.pair.promote(ctx, between(r, 0, time.Second)); err != nil {
					return err
				}
				return w.pair.rebuild(context.WithoutCancel(ctx))
			}
		}
		begin := time.Since(w.begun)
		err := do(ctx, r)
		switch {
		case errors.Is(err, errSkipped):
			name += " (skipped)"
		case err != nil:
			w.errors.add(fmt.Errorf("%s: %w", name, err))
		}
		w.harmed.add(name, fmt.Sprintf("%v to %v %s: %s", begin.Round(time.Millisecond), time.Since(w.begun).Round(time.Millisecond), s.name, name))
	}
}

// stalled is for how long commits wait before something is done to them; not at all, now and then.
func stalled(r *rand.Rand) time.Duration {
	if r.IntN(4) == 0 {
		return 0
	}
	return between(r, 50*time.Millisecond, 800*time.Millisecond)
}

func freezeFor(ctx context.Context, p *process, most time.Duration) error {
	err := p.freeze()
	wait(ctx, most)
	return errors.Join(err, p.thaw())
}

// stopWorker stops the process whose relay announces, and wakes it again.
func (w *world) stopWorker(ctx context.Context, s *side, r *rand.Rand) error {
	var worker sql.NullString
	one, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.db.QueryRowContext(one, "SELECT worker FROM lethe_outbox_bus WHERE one = 1").Scan(&worker); err != nil {
		return errSkipped
	}
	for _, c := range s.citizens {
		if strings.HasPrefix(worker.String, c.name+".") {
			return freezeFor(ctx, c.process(), spell(r))
		}
	}
	return errSkipped
}

func (w *world) killCitizen(ctx context.Context, s *side, c *copyOf, r *rand.Rand) error {
	if !c.dying.TryLock() {
		return errSkipped
	}
	defer c.dying.Unlock()
	if err := c.restart(ctx, between(r, 0, 2*time.Second)); err != nil {
		return err
	}
	s.mu.Lock()
	ns := s.ns
	s.mu.Unlock()
	_, err := c.ask(context.WithoutCancel(ctx), command{Do: doRound, Body: ns}, askFor)
	return err
}

func (w *world) killBus(ctx context.Context, r *rand.Rand) error {
	if !w.bus.dying.TryLock() {
		return errSkipped
	}
	defer w.bus.dying.Unlock()
	w.bus.process().kill()
	wait(ctx, spell(r))
	return errors.Join(w.bus.start(), w.bus.ready(context.WithoutCancel(ctx)))
}
