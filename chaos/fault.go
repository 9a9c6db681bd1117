package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// fault is one kind of harm. It does it, waits, and undoes it before it returns, also when ctx ends first.
type fault struct {
	name   string
	weight int
	server bool // it may cost the stream its quorum
	run    func(ctx context.Context, d *driver, r *rand.Rand) (what string, err error)
}

// errSkipped says that a fault could not be done just now.
var errSkipped = errors.New("not now")

// faults is every kind there is.
func faults() []fault {
	return []fault{
		{"latency", 4, false, clientLatency},
		{"throttle", 3, false, clientThrottle},
		{"cut", 2, false, clientCut},
		{"reset", 2, false, clientReset},
		{"silence", 3, false, clientSilence},
		{"down", 2, false, clientDown},
		{"route-latency", 2, true, routeLatency},
		{"route-silence", 3, true, routeSilence},
		{"route-down", 2, true, routeDown},
		{"isolate", 3, true, isolate},
		{"kill-server", 4, true, killServer},
		{"wipe-server", 1, true, wipeServer},
		{"freeze-server", 3, true, freezeServer},
		{"freeze-node", 5, false, freezeNode},
		{"kill-node", 3, false, killNode},
		{"full-disk", 1, true, fullDisk},
	}
}

// between is a random time from a to b.
func between(r *rand.Rand, a, b time.Duration) time.Duration {
	return a + time.Duration(r.Int64N(int64(b-a)))
}

// spell is how long a fault lasts: shorter than the bounds, about as long, or longer.
func spell(r *rand.Rand) time.Duration {
	switch p := r.IntN(10); {
	case p < 4:
		return between(r, 200*time.Millisecond, time.Second)
	case p < 7:
		return between(r, time.Second, 6*time.Second)
	default:
		return between(r, 6*time.Second, 14*time.Second)
	}
}

// victim picks the links of a client: to one server, or to all.
func victim(d *driver, r *rand.Rand) (name string, ls []*link) {
	names := d.clients()
	name = names[r.IntN(len(names))]
	ls = d.cluster.links.client[name]
	if r.IntN(3) == 0 {
		i := r.IntN(len(ls))
		return fmt.Sprintf("%s to s%d", name, i), ls[i : i+1]
	}
	return name, ls
}

func direction(r *rand.Rand) []string {
	switch r.IntN(3) {
	case 0:
		return []string{upstream}
	case 1:
		return []string{downstream}
	default:
		return []string{upstream, downstream}
	}
}

// lane is one direction of a link.
type lane struct {
	*link
	stream string
}

// poison puts a toxic on links for a while.
func poison(ctx context.Context, ls []*link, typ string, streams []string, attributes map[string]any, most time.Duration) error {
	var lanes []lane
	for _, l := range ls {
		for _, s := range streams {
			lanes = append(lanes, lane{l, s})
		}
	}
	return poisonLanes(ctx, lanes, typ, attributes, most)
}

func poisonLanes(ctx context.Context, lanes []lane, typ string, attributes map[string]any, most time.Duration) error {
	var heals []func()
	var errs []error
	for _, l := range lanes {
		heal, err := l.poison(ctx, typ, l.stream, attributes)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		heals = append(heals, heal)
	}
	wait(ctx, most)
	for _, heal := range heals {
		heal()
	}
	return errors.Join(errs...)
}

func clientLatency(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	name, ls := victim(d, r)
	ms, dir, most := 20+r.IntN(1500), direction(r), spell(r)
	return fmt.Sprintf("%s %v %d ms, %v", name, dir, ms, most),
		poison(ctx, ls, "latency", dir, map[string]any{"latency": ms, "jitter": ms / 2}, most)
}

func clientThrottle(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	name, ls := victim(d, r)
	rate, most := 1+r.IntN(10), spell(r)
	return fmt.Sprintf("%s %d KB/s, %v", name, rate, most),
		poison(ctx, ls, "bandwidth", []string{downstream}, map[string]any{"rate": rate}, most)
}

func clientCut(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	name, ls := victim(d, r)
	bytes, dir, most := 10+r.IntN(20_000), direction(r), spell(r)
	return fmt.Sprintf("%s %v after %d bytes, %v", name, dir, bytes, most),
		poison(ctx, ls, "limit_data", dir, map[string]any{"bytes": bytes}, most)
}

func clientReset(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	name, ls := victim(d, r)
	most := between(r, 100*time.Millisecond, 2*time.Second)
	return fmt.Sprintf("%s %v", name, most), poison(ctx, ls, "reset_peer", []string{upstream}, map[string]any{"timeout": r.IntN(300)}, most)
}

func clientSilence(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	name, ls := victim(d, r)
	dir, most := direction(r), spell(r)
	return fmt.Sprintf("%s %v %v", name, dir, most), poison(ctx, ls, "timeout", dir, map[string]any{"timeout": 0}, most)
}

func clientDown(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	name, ls := victim(d, r)
	most := spell(r)
	cut(ctx, ls, most)
	return fmt.Sprintf("%s %v", name, most), nil
}

// cut closes links for a while.
func cut(ctx context.Context, ls []*link, most time.Duration) {
	heals := make([]func(), len(ls))
	for i, l := range ls {
		heals[i] = l.down()
	}
	wait(ctx, most)
	for _, heal := range heals {
		heal()
	}
}

func freezeNode(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	n, most := d.nodes[r.IntN(len(d.nodes))], spell(r)
	p := n.process()
	err := p.freeze()
	wait(ctx, most)
	return fmt.Sprintf("%s %v", n.name, most), errors.Join(err, p.thaw())
}

func killNode(ctx context.Context, d *driver, r *rand.Rand) (string, error) {
	n := d.nodes[r.IntN(len(d.nodes))]
	if !n.dying.TryLock() {
		return "", errSkipped
	}
	defer n.dying.Unlock()
	return n.name, n.restart(ctx, between(r, 0, 3*time.Second))
}
