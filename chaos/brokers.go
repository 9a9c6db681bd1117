package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/chaos/judge"
	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

const (
	viewFunc    = "chaos.view"
	itemsMost   = 12 // manifests a database
	brokersEach = 3  // processes that share one
	ticketsMost = 300
)

// shared is a database with the processes that share it. Its keys in the judge are first to first+itemsMost-1.
type shared struct {
	name    string
	first   int
	db      *sql.DB // the driver's own, which only looks
	brokers []*copyOf

	mu    sync.Mutex      // guards what follows
	busy  [itemsMost]bool // a write of the key is under way
	truth [itemsMost]int64
	waits map[int64]int64 // number of a row that waits to be announced -> when it was first seen
}

// brokered is everything about brokers of a run.
type brokered struct {
	all   []*shared
	judge *judge.Judge
	up    atomic.Int64 // since when the bus is there for certain; 0 = it may be away

	outages, applies, retried, announced, open atomic.Int64
	longest                                    atomic.Int64 // that a row has waited while the bus was there
	restarts                                   atomic.Int64 // of a window, because this machine stood still
	waiting                                    sync.WaitGroup
}

// openShared names the databases of a list and starts what they need.
func (d *driver) openShared(list string) error {
	if list == "" {
		return nil
	}
	for name := range strings.SplitSeq(list, ",") {
		s := &shared{name: strings.TrimSpace(name), first: len(d.brokered.all) * itemsMost, waits: map[int64]int64{}}
		var dsn string
		var err error
		switch s.name {
		case "sqlite":
			file := filepath.Join(d.dir, "items.db")
			dsn = "sqlite:" + file
			s.db, err = sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)")
		case "postgres":
			if dsn, err = pgtest.Start(); err == nil {
				s.db, err = sql.Open("pgx", dsn)
			}
		default:
			err = errors.New("want sqlite, postgres")
		}
		if err != nil {
			return fmt.Errorf("-databases %q: %w", s.name, err)
		}
		d.brokered.all = append(d.brokered.all, s)
		for i := range brokersEach {
			s.brokers = append(s.brokers, &copyOf{role: "broker", name: fmt.Sprintf("%s%d", s.name, i), logs: d.dir, keys: itemsMost * 8, args: []string{"-database", dsn}})
		}
	}
	return nil
}

// startBrokers starts their processes, on links that no fault touches, and makes the manifests.
func (d *driver) startBrokers(ctx context.Context) error {
	if err := d.openShared(d.opt.databases); err != nil || len(d.brokered.all) == 0 {
		return err
	}
	in, err := d.cluster.info(ctx)
	if err != nil {
		return err
	}
	d.ledger.first = in.State.FirstSeq
	var urls []string
	for _, s := range d.cluster.servers {
		urls = append(urls, "nats://"+local(s.port))
	}
	var bounds []time.Duration
	for range len(d.brokered.all) * brokersEach {
		bounds = append(bounds, d.opt.staleness)
	}
	d.brokered.judge = judge.New(judge.Config{
		Keys: len(d.brokered.all) * itemsMost, Bounds: bounds, Report: d.violation,
		// A process that is stopped in the middle of a commit tells of it when it goes on, or another one finds it.
		Delay: d.opt.away.most + 2*time.Minute,
	})
	for i, s := range d.brokered.all {
		for j, b := range s.brokers {
			b.index, b.judge = i*brokersEach+j, d.brokered.judge
			b.args = append(b.args, "-name", b.name, "-url", strings.Join(urls, ","), "-namespace", s.name, "-first", strconv.Itoa(s.first),
				"-staleness", d.opt.staleness.String(), "-rate", strconv.Itoa(max(1, d.opt.reads/6)))
			if d.sabotage == sabotageStuck {
				b.args = append(b.args, "-stuck")
			}
			if err := b.start(); err != nil {
				return err
			}
			err := poll(ctx, 3*time.Minute, b.name+" is current", func(context.Context) error {
				if c := b.counts(); c.State != lethe.Current.String() {
					return errors.New(c.State)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		for k := range itemsMost {
			d.change(ctx, s, k, rand.New(rand.NewPCG(d.opt.seed, uint64(k))))
		}
	}
	return ctx.Err()
}

// keepApplying writes to a database until ctx ends. A commit needs no bus: it goes on in an outage.
func (d *driver) keepApplying(ctx context.Context, s *shared) {
	r := rand.New(rand.NewPCG(d.opt.seed, 77+uint64(s.first)))
	var wg sync.WaitGroup
	defer wg.Wait()
	for n := uint64(0); ctx.Err() == nil; n++ {
		wait(ctx, between(r, 0, 400*time.Millisecond))
		k := r.IntN(itemsMost)
		s.mu.Lock()
		taken := s.busy[k] || d.brokered.open.Load() >= ticketsMost
		s.busy[k] = s.busy[k] || !taken
		s.mu.Unlock()
		if taken || ctx.Err() != nil {
			continue
		}
		wg.Go(func() {
			d.change(d.life, s, k, rand.New(rand.NewPCG(d.opt.seed, 1<<32+n)))
			s.mu.Lock()
			s.busy[k] = false
			s.mu.Unlock()
		})
	}
}

// change writes the next version of a key, by one process or another, until one of them says that it is committed.
func (d *driver) change(ctx context.Context, s *shared, k int, r *rand.Rand) {
	s.mu.Lock()
	c := judge.Cover{Key: s.first + k, Version: s.truth[k] + 1}
	s.mu.Unlock()
	begin := mono()
	for ctx.Err() == nil {
		a, err := s.brokers[r.IntN(len(s.brokers))].ask(ctx, command{Do: doApply, Covers: []judge.Cover{c}}, 20*time.Second)
		if err != nil || a.Error != "" {
			d.brokered.retried.Add(1)
			wait(ctx, between(r, 10*time.Millisecond, 300*time.Millisecond))
			continue
		}
		d.brokered.judge.Commit(judge.Commit{Cover: c, Begin: begin, End: mono()})
		d.brokered.applies.Add(1)
		s.mu.Lock()
		s.truth[k] = c.Version
		s.mu.Unlock()
		d.ledger.commit(writeReason(c))
		if a.Ticket != "" { // else a try before had it, and its ticket is lost; the log is read at the end
			d.brokered.open.Add(1)
			d.brokered.waiting.Go(func() {
				defer d.brokered.open.Add(-1)
				d.announced(d.life, s, c, a.Ticket, r)
			})
		}
		return
	}
}

// announced waits for the token of a change, asking whichever process answers, and has some nodes wait for it.
func (d *driver) announced(ctx context.Context, s *shared, c judge.Cover, ticket string, r *rand.Rand) {
	for ctx.Err() == nil {
		a, err := s.brokers[r.IntN(len(s.brokers))].ask(ctx, command{Do: doTicket, Ticket: ticket}, 10*time.Second)
		if err != nil || a.Error != "" {
			wait(ctx, 200*time.Millisecond)
			continue
		}
		t, err := event.ParseToken(a.Token)
		if err != nil {
			return
		}
		d.brokered.announced.Add(1)
		d.remember(t)
		d.brokered.judge.Stored(judge.Stored{Sequence: t.Sequence(), Seen: mono(), Covers: []judge.Cover{c}})
		for _, b := range s.brokers {
			if r.IntN(2) == 0 {
				_, _ = b.ask(ctx, command{Do: doWait, Token: t.String(), Covers: []judge.Cover{c}}, 10*time.Second)
			}
		}
		return
	}
}

// rowsLate is how long a row may wait while the bus is there.
const rowsLate = 10 * time.Second

// watchRows looks at what waits in a database, all the time.
func (d *driver) watchRows(ctx context.Context, s *shared) {
	last, said := mono(), int64(0)
	for ctx.Err() == nil {
		wait(ctx, 200*time.Millisecond)
		numbers, err := s.waitingRows(ctx)
		now, up := mono(), d.brokered.up.Load()
		if time.Duration(now-last) > time.Second && up != 0 {
			// This machine stood still: nothing that was slow meanwhile is anybody's fault.
			d.brokered.up.CompareAndSwap(up, now)
			d.brokered.restarts.Add(1)
			up = now
		}
		last = now
		if err != nil {
			continue
		}
		for number, seen := range s.see(numbers, now) {
			if up == 0 {
				continue
			}
			waited := now - max(seen, up)
			for have := d.brokered.longest.Load(); waited > have && !d.brokered.longest.CompareAndSwap(have, waited); have = d.brokered.longest.Load() {
			}
			if time.Duration(waited) > rowsLate && said != up {
				said = up
				d.judge.Refused(judge.Violation{Rule: "rows", Why: fmt.Sprintf(
					"%s: row %d and %d others wait; it was there %v ago, the bus is back since %v", s.name, number, len(numbers)-1,
					time.Duration(now-seen).Round(time.Millisecond), time.Duration(now-up).Round(time.Millisecond))})
			}
		}
	}
}

func (s *shared) waitingRows(ctx context.Context) (numbers []int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	rows, err := s.db.QueryContext(ctx, "SELECT number FROM lethe_outbox WHERE parked IS NULL")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	return numbers, rows.Err()
}

// see returns when each of the rows was first seen.
func (s *shared) see(numbers []int64, now int64) map[int64]int64 {
	seen := make(map[int64]int64, len(numbers))
	for _, n := range numbers {
		seen[n] = now
		if at, ok := s.waits[n]; ok {
			seen[n] = at
		}
	}
	s.waits = seen
	return seen
}

// endBrokers holds the end against the truth: all is announced, and every process brings the last versions from its cache.
func (d *driver) endBrokers(ctx context.Context) {
	settled := make(chan struct{})
	go func() { defer close(settled); d.brokered.waiting.Wait() }()
	select {
	case <-settled:
	case <-time.After(d.opt.settle):
		d.judge.Refused(judge.Violation{Rule: "unannounced", Why: fmt.Sprintf("%d changes have no token %v after the end", d.brokered.open.Load(), d.opt.settle)})
	case <-ctx.Done():
	}
	last := d.last()
	var wg sync.WaitGroup
	for _, s := range d.brokered.all {
		cmd := command{Do: doFinal, Token: last.String()}
		for k, v := range s.truth {
			cmd.Covers = append(cmd.Covers, judge.Cover{Key: s.first + k, Version: v})
		}
		for _, b := range s.brokers {
			wg.Go(func() {
				a, err := b.ask(ctx, cmd, 3*time.Minute)
				if err == nil && a.Error != "" {
					err = errors.New(a.Error)
				}
				if err != nil {
					d.judge.Refused(judge.Violation{Rule: "end", Node: b.index, Why: b.name + ": " + err.Error()})
				}
			})
		}
	}
	wg.Wait()
}

// closeBrokers ends their processes.
func (d *driver) closeBrokers() (err error) {
	for _, s := range d.brokered.all {
		for _, b := range s.brokers {
			if p := b.process(); p != nil {
				p.kill()
			}
		}
		if s.db != nil {
			err = errors.Join(err, s.db.Close())
		}
	}
	return err
}

// brokerReport is what a run has shown of brokers.
type brokerReport struct {
	Databases []string         `json:"databases"`
	Outages   int64            `json:"outages"`
	Applied   int64            `json:"committed"`
	Retried   int64            `json:"unknown_then_retried"`
	Announced int64            `json:"announced_tickets"`
	Longest   string           `json:"longest_row_with_the_bus_there"`
	Restarts  int64            `json:"windows_begun_again"`
	Judge     judge.Counts     `json:"judge"`
	Fleet     map[string]stats `json:"brokers"`
}

func (d *driver) brokerResult() *brokerReport {
	if len(d.brokered.all) == 0 {
		return nil
	}
	b := &d.brokered
	r := &brokerReport{
		Outages: b.outages.Load(), Applied: b.applies.Load(), Retried: b.retried.Load(), Announced: b.announced.Load(),
		Longest: time.Duration(b.longest.Load()).Round(time.Millisecond).String(), Restarts: b.restarts.Load(), Judge: b.judge.Counts(), Fleet: map[string]stats{},
	}
	for _, s := range b.all {
		r.Databases = append(r.Databases, s.name)
		for _, c := range s.brokers {
			r.Fleet[c.name] = c.counts()
		}
	}
	slices.Sort(r.Databases)
	return r
}
