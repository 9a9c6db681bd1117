package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// Faults of servers and routes hold d.quorum shared; one that takes a store away holds it alone, and only while every replica is
// current: an empty server that votes can lose what a quorum had, and that is beyond what is promised.

// pickServer prefers the stream's leader.
func pickServer(d *driver, r *rand.Rand) (int, *natsServer) {
	i := r.IntN(serversMost)
	if l := d.leader.Load(); l != nil && r.IntN(2) == 0 {
		for j, s := range d.cluster.servers {
			if s.name == *l {
				i = j
			}
		}
	}
	return i, d.cluster.servers[i]
}

// pairLinks are both proxies between two servers and, of each, the direction that carries what from says to to.
func pairLinks(d *driver, from, to int) (ls []*link, streams []string) {
	return []*link{d.cluster.links.route[from][to], d.cluster.links.route[to][from]}, []string{upstream, downstream}
}

// poisonRoutes harms what from says to each of to, and what they answer if both.
func poisonRoutes(ctx context.Context, d *driver, typ string, attributes map[string]any, from int, to []int, both bool, most time.Duration) error {
	var lanes []lane
	for _, j := range to {
		ls, streams := pairLinks(d, from, j)
		for i, l := range ls {
			dirs := streams[i : i+1]
			if both {
				dirs = streams
			}
			for _, s := range dirs {
				lanes = append(lanes, lane{l, s})
			}
		}
	}
	return poisonLanes(ctx, lanes, typ, attributes, most)
}

func others(i int) []int { return []int{(i + 1) % serversMost, (i + 2) % serversMost} }

func routeLatency(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	d.quorum.RLock()
	defer d.quorum.RUnlock()
	i, s := pickServer(d, r)
	ms, both, most := 10+r.IntN(1000), r.IntN(2) == 0, spell(r)
	to := others(i)[:1+r.IntN(2)]
	return fmt.Sprintf("%s to %v, both %v, %d ms, %v", s.name, to, both, ms, most),
		poisonRoutes(ctx, d, "latency", map[string]any{"latency": ms, "jitter": ms / 2}, i, to, both, most)
}

func routeSilence(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	d.quorum.RLock()
	defer d.quorum.RUnlock()
	i, s := pickServer(d, r)
	both, most := r.IntN(2) == 0, spell(r)
	j := others(i)[r.IntN(2)]
	return fmt.Sprintf("%s to s%d, both %v, %v", s.name, j, both, most),
		poisonRoutes(ctx, d, "timeout", map[string]any{"timeout": 0}, i, []int{j}, both, most)
}

func isolate(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	d.quorum.RLock()
	defer d.quorum.RUnlock()
	i, s := pickServer(d, r)
	both, most := r.IntN(3) > 0, spell(r)
	return fmt.Sprintf("%s, both %v, %v", s.name, both, most),
		poisonRoutes(ctx, d, "timeout", map[string]any{"timeout": 0}, i, others(i), both, most)
}

func routeDown(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	d.quorum.RLock()
	defer d.quorum.RUnlock()
	i, s := pickServer(d, r)
	j, most := others(i)[r.IntN(2)], spell(r)
	ls, _ := pairLinks(d, i, j)
	cut(ctx, ls, most)
	return fmt.Sprintf("%s and s%d, %v", s.name, j, most), nil
}

func killServer(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	d.quorum.RLock()
	defer d.quorum.RUnlock()
	_, s := pickServer(d, r)
	if !s.dying.TryLock() {
		return "", errSkipped
	}
	defer s.dying.Unlock()
	s.process().kill()
	pause := between(r, 0, 6*time.Second)
	wait(ctx, pause)
	return fmt.Sprintf("%s, back after %v", s.name, pause), s.start()
}

func freezeServer(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	d.quorum.RLock()
	defer d.quorum.RUnlock()
	_, s := pickServer(d, r)
	p, most := s.process(), spell(r)
	err := p.freeze()
	wait(ctx, most)
	return fmt.Sprintf("%s %v", s.name, most), errors.Join(err, p.thaw())
}

// alone takes the servers for a fault that must not meet another.
func alone(ctx context.Context, d *driver) (release func(), err error) {
	d.quorum.Lock()
	if err := poll(ctx, 30*time.Second, "every replica is current", d.cluster.healthy); err != nil {
		d.quorum.Unlock()
		return nil, errSkipped
	}
	return d.quorum.Unlock, nil
}

func wipeServer(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	release, err := alone(ctx, d)
	if err != nil {
		return "", err
	}
	defer release()
	_, s := pickServer(d, r)
	s.process().kill()
	if err := os.RemoveAll(s.dir); err != nil {
		return s.name, err
	}
	if err := errors.Join(os.MkdirAll(s.dir, 0o700), s.start()); err != nil {
		return s.name, err
	}
	begun := time.Now()
	// Without ctx: until it is back it must not meet another fault, nor the end of the run.
	err = poll(d.life, 2*time.Minute, "the wiped server is current", d.cluster.healthy)
	return fmt.Sprintf("%s, current after %v", s.name, time.Since(begun)), err
}

func fullDisk(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	if d.disk.dir == "" {
		return "", errSkipped
	}
	d.quorum.RLock()
	defer d.quorum.RUnlock()
	s := d.cluster.servers[serversMost-1]
	if !s.dying.TryLock() {
		return "", errSkipped
	}
	defer s.dying.Unlock()
	most := between(r, 3*time.Second, 12*time.Second)
	if err := d.disk.fill(); err != nil {
		return s.name, errors.Join(err, d.disk.empty())
	}
	wait(ctx, most)
	err := d.disk.empty()
	s.process().kill() // a server that could not write does not try again by itself
	return fmt.Sprintf("%s %v", s.name, most), errors.Join(err, s.start())
}
