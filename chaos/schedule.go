package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// faultsAtOnce is how many faults overlap at most.
const faultsAtOnce = 4

// stepdown is the name of what is no fault with a beginning and an end.
const stepdown = "stepdown"

// choose returns the faults that a list names, with commas, and whether leaders step down; "" = all, "none" = none.
func choose(list string) (chosen []fault, down bool, err error) {
	switch list {
	case "":
		return faults(), true, nil
	case "none":
		return nil, false, nil
	}
	names := []string{stepdown}
	for _, f := range faults() {
		names = append(names, f.name)
	}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		found := name == stepdown
		down = down || found
		for _, f := range faults() {
			if f.name == name {
				chosen, found = append(chosen, f), true
			}
		}
		if !found {
			return nil, false, fmt.Errorf("-faults: %q is none of %s, none", name, strings.Join(names, ", "))
		}
	}
	return chosen, down, nil
}

// harm does faults in an order that its seed decides, until ctx ends; it returns when all are undone.
func (d *driver) harm(ctx context.Context, seed uint64, kinds []fault) {
	if len(kinds) == 0 {
		return
	}
	r := rand.New(rand.NewPCG(seed, 1))
	total := 0
	for _, f := range kinds {
		total += f.weight
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, faultsAtOnce)
	for n := uint64(0); ; n++ {
		wait(ctx, between(r, 200*time.Millisecond, 2500*time.Millisecond))
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return
		}
		p := r.IntN(total)
		for _, f := range kinds {
			if p -= f.weight; p >= 0 {
				continue
			}
			wg.Go(func() {
				defer func() { <-free }()
				d.do(ctx, f, rand.New(rand.NewPCG(seed, n+2)))
			})
			break
		}
	}
}

func (d *driver) do(ctx context.Context, f fault, r *rand.Rand) {
	if f.server {
		// Two at once take the quorum away, most of the time; then nothing can be written, so it is not the rule.
		if d.harder.Add(1) > 1 && r.IntN(4) > 0 {
			d.harder.Add(-1)
			return
		}
		defer d.harder.Add(-1)
	}
	begin := mono()
	d.active.Add(1)
	what, err := f.run(ctx, d, r)
	d.active.Add(-1)
	if errors.Is(err, errSkipped) {
		d.harmed.add(f.name+" (skipped)", "")
		return
	}
	d.harmed.add(f.name, fmt.Sprintf("%d %d %s %s", begin, mono(), f.name, what))
	if err != nil && d.life.Err() == nil {
		d.trouble.add(fmt.Errorf("%s: %w", f.name, err))
	}
}

// stepDown makes the stream's leader give up every few seconds.
func (d *driver) stepDown(ctx context.Context, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	for ctx.Err() == nil {
		wait(ctx, between(r, 2*time.Second, 6*time.Second))
		if ctx.Err() != nil || !d.quorum.TryRLock() {
			continue
		}
		_, err := d.cluster.admin.Request("$JS.API.STREAM.LEADER.STEPDOWN."+event.StreamName(fleet), nil, 2*time.Second)
		d.quorum.RUnlock()
		if err == nil {
			d.stepdowns.Add(1)
		}
	}
}

// follow notes who leads the stream.
func (d *driver) follow(ctx context.Context) {
	for ctx.Err() == nil {
		wait(ctx, 500*time.Millisecond)
		i, err := d.cluster.info(ctx)
		if err != nil || i.Cluster == nil || i.Cluster.Leader == "" {
			continue
		}
		if last := d.leader.Load(); last == nil || *last != i.Cluster.Leader {
			d.leader.Store(&i.Cluster.Leader)
			d.leaders.Add(1)
		}
	}
}
