package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/chaos/judge"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// options of a run.
type options struct {
	length    time.Duration
	world     time.Duration
	seed      uint64
	faults    string
	nodes     int
	reads     int // a second and node
	writes    int // a second
	databases string
	outages   string
	away      span
	settle    time.Duration
	report    string
	history   string
	sabotage  string
	lies      int
	staleness time.Duration
}

// driver is the process that holds the truth, starts everything, does the harm and judges.
type driver struct {
	opt  options
	dir  string
	out  io.Writer
	life context.Context //nolint:containedctx // the run's own life, beyond the harm: what was begun is brought to its end

	truth      *truth
	disk       *disk
	cluster    *cluster
	watch      *watch
	judge      *judge.Judge
	ledger     *ledger
	stamps     stamps
	nodes      []*copyOf
	publishers []*lethe.Node
	brokered   brokered
	sabotage   string
	begun      time.Time

	harder  atomic.Int64 // faults of servers and routes under way
	quorum  sync.RWMutex // shared by faults of servers, held alone by one that must not meet another
	leader  atomic.Pointer[string]
	waiting sync.WaitGroup

	writes, open, unknown, waits, unwaited atomic.Int64
	active, stepdowns, leaders             atomic.Int64
	harmed                                 tally
	reasons, trouble                       errorTally

	saying sync.Mutex // held while a violation is written down
	said   int        // violations, guarded by saying

	mu      sync.Mutex // guards what follows
	highest event.Token
	epochs  []string
	lost    []string
	logged  int
	ending  time.Duration
}

// bound is the MaxStaleness of a node: every other one has twice the shortest.
func (d *driver) bound(i int) time.Duration { return d.opt.staleness * time.Duration(1+i%2) }

const publishers = 2

func (d *driver) clients() []string {
	var names []string
	for _, n := range d.nodes {
		names = append(names, n.name)
	}
	for i := range d.publishers {
		names = append(names, "p"+strconv.Itoa(i))
	}
	return names
}

// start starts everything; close has to be called whatever comes of it.
func (d *driver) start(ctx context.Context) (err error) {
	socket := filepath.Join(d.dir, "database")
	if d.truth, err = serveTruth(ctx, socket); err != nil {
		return err
	}
	d.disk = mountDisk(filepath.Join(d.dir, "disk"))
	d.say("disk to be filled: %v", d.disk)
	if d.cluster, err = startCluster(ctx, d.dir, d.disk); err != nil {
		return err
	}
	if d.watch, err = newWatch(d.cluster); err != nil {
		return err
	}
	limits := map[string]time.Duration{string(fnServe): serveLimit}
	var bounds []time.Duration
	for i := range d.opt.nodes {
		bounds = append(bounds, d.bound(i))
	}
	d.judge = judge.New(judge.Config{
		Keys: keysMost, Bounds: bounds, Limits: limits, Report: d.violation,
		Composite: map[string]bool{string(fnPair): true, string(fnDeep): true},
	})
	for k := range keysMost {
		d.judge.Commit(judge.Commit{Cover: judge.Cover{Key: k, Version: 1}, Begin: 1, End: 2})
	}
	d.ledger = newLedger()
	if err := d.startPublishers(ctx); err != nil {
		return err
	}
	return errors.Join(d.startNodes(ctx, socket), d.startBrokers(ctx))
}

// makeStream opens a node that makes the stream: publishers make none.
func (d *driver) makeStream(ctx context.Context) error {
	url := "nats://" + local(d.cluster.servers[0].port)
	n, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: fleet, Name: "maker", Replicas: serversMost})
	if err != nil {
		return err
	}
	one, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	return errors.Join(n.Ready(one), n.Close())
}

func (d *driver) startPublishers(ctx context.Context) error {
	if err := d.makeStream(ctx); err != nil {
		return fmt.Errorf("make the stream: %w", err)
	}
	for i := range publishers {
		name := "p" + strconv.Itoa(i)
		url, err := d.cluster.links.join(name, d.cluster.servers)
		if err != nil {
			return err
		}
		p, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: fleet, Name: name, PublishOnly: true})
		if err != nil {
			return err
		}
		d.publishers = append(d.publishers, p)
		one, cancel := context.WithTimeout(ctx, 3*time.Minute)
		err = p.Ready(one)
		cancel()
		if err != nil {
			return fmt.Errorf("publisher %s: %w", name, err)
		}
	}
	return poll(ctx, 3*time.Minute, "the stream has its replicas", d.cluster.healthy)
}

func (d *driver) startNodes(ctx context.Context, socket string) error {
	lie := 0
	if d.sabotage == sabotageOld {
		lie = d.opt.lies
	}
	for i := range d.opt.nodes {
		name := "n" + strconv.Itoa(i)
		url, err := d.cluster.links.join(name, d.cluster.servers)
		if err != nil {
			return err
		}
		bound := d.bound(i)
		if d.sabotage == sabotageBound {
			bound = time.Minute
		}
		n := &copyOf{index: i, name: name, logs: d.dir, judge: d.judge, args: []string{
			"-name", name, "-url", url, "-database", socket, "-staleness", bound.String(),
			"-rate", strconv.Itoa(d.opt.reads), "-lie", strconv.Itoa(lie),
		}}
		d.nodes = append(d.nodes, n)
		if err := n.start(); err != nil {
			return err
		}
	}
	for _, n := range d.nodes {
		err := poll(ctx, 3*time.Minute, n.name+" is current", func(context.Context) error {
			if s := n.counts(); s.State != lethe.Current.String() {
				return errors.New(s.State)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// close ends every process and removes what the run stored.
func (d *driver) close() error {
	for _, p := range d.publishers {
		_ = p.Close()
	}
	for _, n := range d.nodes {
		if p := n.process(); p != nil {
			p.kill()
		}
	}
	errs := []error{d.closeBrokers()}
	if d.cluster != nil {
		d.cluster.close()
	}
	if d.truth != nil {
		d.truth.close()
	}
	if d.disk != nil {
		errs = append(errs, d.disk.unmount())
	}
	return errors.Join(append(errs, os.RemoveAll(d.dir))...)
}

func (d *driver) say(format string, args ...any) {
	fmt.Fprintf(d.out, format+"\n", args...)
}

// run harms and writes for the length of the run, lets it heal, and holds the end against the truth.
func (d *driver) run(ctx context.Context) error {
	kinds, down, err := choose(d.opt.faults)
	if err != nil {
		return err
	}
	life, stop := context.WithCancel(ctx)
	d.life = life
	var always sync.WaitGroup
	defer always.Wait()
	defer stop()
	d.begun = time.Now()
	always.Go(func() { d.advance(life) })
	always.Go(func() { d.follow(life) })

	under, cancel := context.WithTimeout(life, d.opt.length)
	defer cancel()
	var busy sync.WaitGroup
	busy.Go(func() { d.keepWriting(under, &busy) })
	if down {
		busy.Go(func() { d.stepDown(under, d.opt.seed) })
	}
	busy.Go(func() { d.harm(under, d.opt.seed, kinds) })
	busy.Go(func() { d.outages(under, d.opt.seed, d.opt.away) })
	for _, s := range d.brokered.all {
		always.Go(func() { d.watchRows(life, s) })
		busy.Go(func() { d.keepApplying(under, s) })
	}
	busy.Go(func() { d.progress(under) })
	busy.Wait()
	d.waiting.Wait()
	ended := time.Now()
	err = d.end(life)
	d.ending = time.Since(ended)
	stop()
	always.Wait()
	d.judge.Finish()
	if d.brokered.judge != nil {
		d.brokered.judge.Finish()
	}
	return err
}

// advance lets the judge judge, all the time.
func (d *driver) advance(ctx context.Context) {
	for ctx.Err() == nil {
		wait(ctx, 250*time.Millisecond)
		d.stamps.settle(ctx, d.watch, d.judge)
		d.judge.Advance(mono())
		if d.brokered.judge != nil {
			d.brokered.judge.Advance(mono())
		}
	}
}

// violations of both judges.
func (d *driver) violations() int64 {
	n := d.judge.Counts().Violations
	if d.brokered.judge != nil {
		n += d.brokered.judge.Counts().Violations
	}
	return n
}

// end waits until the fleet has healed and checks that nothing acknowledged was lost, on any node or in the log.
func (d *driver) end(ctx context.Context) error {
	d.say("the faults are over; the end is checked")
	if err := poll(ctx, 2*time.Minute, "the cluster has healed", d.cluster.healthy); err != nil {
		return err
	}
	d.endBrokers(ctx)
	last := d.last()
	cmd := command{Do: doFinal, Token: last.String()}
	for k := range keysMost {
		cmd.Covers = append(cmd.Covers, judge.Cover{Key: k, Version: d.truth.version(k)})
	}
	var wg sync.WaitGroup
	for _, n := range d.nodes {
		wg.Go(func() {
			a, err := n.ask(ctx, cmd, 3*time.Minute)
			if err == nil && a.Error != "" {
				err = errors.New(a.Error)
			}
			if err != nil {
				d.judge.Refused(judge.Violation{Rule: "end", Node: n.index, Why: err.Error()})
			}
		})
	}
	wg.Wait()
	lost, read, err := d.ledger.audit(ctx, d.cluster.js)
	if err != nil {
		return fmt.Errorf("the log: %w", err)
	}
	d.mu.Lock()
	d.lost, d.logged = lost, read
	d.mu.Unlock()
	for _, l := range lost {
		d.judge.Refused(judge.Violation{Rule: "lost", Why: l})
	}
	return nil
}
