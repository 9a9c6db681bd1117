package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// span is a time from least to most.
type span struct{ least, most time.Duration }

// parseSpan reads "5s-2m"; "" is what fits a run of that length, "none" is none.
func parseSpan(text string, length time.Duration) (s span, err error) {
	switch text {
	case "none":
		return span{}, nil
	case "":
		s.most = min(2*time.Minute, length/5)
		s.least = min(5*time.Second, s.most/2)
		return s, nil
	}
	from, to, ok := strings.Cut(text, "-")
	if !ok {
		to = from
	}
	if s.least, err = time.ParseDuration(from); err == nil {
		s.most, err = time.ParseDuration(to)
	}
	if err != nil || s.least <= 0 || s.most < s.least {
		return span{}, fmt.Errorf("-outages %q: want a time or two of them, the shorter first, like 5s-2m; or none", text)
	}
	return s, nil
}

// pick prefers neither the short nor the long: every doubling is as likely.
func (s span) pick(r *rand.Rand) time.Duration {
	d := s.least
	for d < s.most && r.IntN(2) == 0 {
		d *= 2
	}
	return min(s.most, d+time.Duration(r.Int64N(int64(d))))
}

// outages takes the whole bus away again and again, until ctx ends. Between two of them there is time for other faults.
func (d *driver) outages(ctx context.Context, seed uint64, lengths span) {
	if lengths.most == 0 {
		return
	}
	r := rand.New(rand.NewPCG(seed, 5))
	for {
		wait(ctx, between(r, time.Second, 2*time.Second+min(time.Minute, d.opt.length/10)))
		if ctx.Err() != nil {
			return
		}
		if err := d.outage(ctx, r, lengths.pick(r)); err != nil && d.life.Err() == nil && !errors.Is(err, errSkipped) {
			d.trouble.add(fmt.Errorf("outage: %w", err))
		}
	}
}

// windowSlack is how much longer than rows may wait they are watched after an outage.
const windowSlack = 3 * time.Second

// outage stops or kills every server for a while, and meanwhile some of the brokers. When the bus is back no other fault of servers
// begins until it is clear whether what had waited was announced.
func (d *driver) outage(ctx context.Context, r *rand.Rand, most time.Duration) error {
	release, err := alone(ctx, d)
	if err != nil {
		return err
	}
	defer release()
	kill := r.IntN(2) == 0
	begin := mono()
	d.active.Add(1)
	var undo []func() error
	for _, s := range d.cluster.servers {
		if kill {
			s.process().kill()
			undo = append(undo, s.start)
			continue
		}
		p := s.process()
		err = errors.Join(err, p.freeze())
		undo = append(undo, p.thaw)
	}
	d.harmBrokers(ctx, r, most)
	for _, u := range undo {
		err = errors.Join(err, u())
	}
	d.active.Add(-1)
	d.harmed.add("outage", fmt.Sprintf("%d %d outage %v, killed %v", begin, mono(), most, kill))
	// With the run's own life: the window that follows is what the outage was for.
	if err := errors.Join(err, poll(d.life, 3*time.Minute, "the cluster is back", d.cluster.healthy)); err != nil {
		return err
	}
	back := mono()
	d.brokered.up.Store(back)
	for up := back; d.life.Err() == nil && time.Duration(mono()-up) < rowsLate+windowSlack; up = d.brokered.up.Load() {
		wait(d.life, 100*time.Millisecond)
	}
	d.brokered.up.Store(0)
	d.brokered.outages.Add(1)
	d.say("%6s  an outage of %v (killed %v); the longest that a row has waited with the bus there: %v", time.Since(d.begun).Round(time.Second),
		most.Round(time.Millisecond), kill, time.Duration(d.brokered.longest.Load()).Round(time.Millisecond))
	return nil
}

// harmBrokers returns after most. Of each database's processes one may be stopped or killed for some of that time.
func (d *driver) harmBrokers(ctx context.Context, r *rand.Rand, most time.Duration) {
	var wg sync.WaitGroup
	for _, s := range d.brokered.all {
		b, how, from := s.brokers[r.IntN(len(s.brokers))], r.IntN(4), time.Duration(r.Int64N(int64(most)))
		wg.Go(func() {
			switch how {
			case 0:
				wait(ctx, from)
				p := b.process()
				d.note(p.freeze())
				wait(ctx, most-from)
				d.note(p.thaw())
			case 1:
				wait(ctx, from)
				d.note(b.restart(ctx, (most-from)/2))
			}
		})
	}
	wait(ctx, most)
	wg.Wait()
}

func (d *driver) note(err error) {
	if err != nil && d.life.Err() == nil {
		d.trouble.add(err)
	}
}
