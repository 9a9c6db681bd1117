package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/chaos/whole"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

const (
	citizensEach = 3
	callersEach  = 4
	askFor       = 8 * time.Second
	settleFor    = 2 * time.Minute
)

// world is a run in rounds. In each there is a new namespace on every database, callers that change it through all processes, and harm. Then all is
// brought to rest and judged: the history by what the databases have written down and the stream has, the views of every process by their functions.
type world struct {
	opt   options
	dir   string
	out   io.Writer
	begun time.Time

	bus   *busProcess
	pair  *pgPair // nil without PostgreSQL
	sides []*side
	nc    *nats.Conn
	js    jetstream.JetStream
	node  *lethe.Node // the driver's: it says the last word of each round
	read  uint64      // of the stream

	harmed     tally
	errors     errorTally
	violations int
	counts     worldCounts
}

// worldCounts is what a run has shown.
type worldCounts struct {
	Rounds, Calls, Done, Refused, Unknown, Idle, Deleted, Lists, Seen, Kinds int
	Changes, Events, Views, Hits                                             int
}

// side is a database with the processes that share it.
type side struct {
	name, kind string
	postgres   bool
	citizens   []*copyOf
	db         *sql.DB // the driver's own
	seq        int64   // of the history, judged
	turn       int     // of its kind

	mu    sync.Mutex // guards what follows
	ns    string
	calls []whole.Call
	know  [objectsMost]whole.Doc // what was answered last
	sees  []see
}

// see is a read behind a token.
type see struct {
	object  string
	version int64 // that the token is of
	got     string
	who     string
}

func (s *side) family() string { return strings.ToLower(s.kind) }

// liveInAWorld makes a run and returns an error unless every promise was kept.
func liveInAWorld(ctx context.Context, opt options, dir string, out io.Writer) (err error) {
	w := &world{opt: opt, dir: dir, out: out, begun: time.Now()}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.start(ctx); err != nil {
		return err
	}
	w.say("a world with seed %d: %s", opt.seed, opt.world)
	if w.pair != nil {
		if err := w.pair.rebuild(ctx); err != nil {
			return err
		}
	}
	for n := 0; time.Since(w.begun) < opt.world && w.violations == 0 && ctx.Err() == nil; n++ {
		if err := w.round(ctx, n); err != nil {
			return fmt.Errorf("round %d of seed %d: %w", n, opt.seed, err)
		}
	}
	w.say("%+v\nharm %v\nerrors %v", w.counts, w.harmed.counts(), w.errors.counts())
	if w.violations > 0 {
		return fmt.Errorf("%w: %d violations, seed %d, see %s", errViolated, w.violations, opt.seed, opt.history)
	}
	return ctx.Err()
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(w.out, format+"\n", args...) }

func (w *world) start(ctx context.Context) error {
	var err error
	if w.bus, err = startBus(ctx, w.dir); err != nil {
		return err
	}
	w.nc, err = nats.Connect(w.bus.url(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.PingInterval(2*time.Second))
	if err != nil {
		return err
	}
	if w.js, err = jetstream.New(w.nc); err != nil {
		return err
	}
	if w.node, err = lethe.Open(ctx, lethe.Config{URL: w.bus.url(), Fleet: fleet, Name: "driver"}); err != nil {
		return err
	}
	list := w.opt.databases
	if list == "" {
		list = "sqlite,postgres"
	}
	for name := range strings.SplitSeq(list, ",") {
		if err := w.open(ctx, strings.TrimSpace(name)); err != nil {
			return fmt.Errorf("-databases %q: %w", name, err)
		}
	}
	return nil
}

// open starts a database and its processes.
func (w *world) open(ctx context.Context, name string) (err error) {
	s := &side{name: name, postgres: name == "postgres"}
	var dsn string
	switch name {
	case "sqlite":
		s.kind = "Spart"
		file := filepath.Join(w.dir, "world.db")
		dsn = "sqlite:" + file
		s.db, err = sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(10000)")
	case "postgres":
		s.kind = "Ppart"
		if w.pair, err = startPair(ctx); err == nil {
			dsn = w.pair.address()
			s.db, err = sql.Open("pgx", dsn+"&default_query_exec_mode=exec")
		}
	default:
		err = errors.New("want sqlite, postgres")
	}
	if err != nil {
		return err
	}
	w.sides = append(w.sides, s)
	for i := range citizensEach {
		c := &copyOf{role: "citizen", index: i, name: fmt.Sprintf("%s%d", name, i), logs: w.dir}
		c.args = []string{"-name", c.name, "-url", w.bus.url(), "-database", dsn, "-kind", s.kind}
		if err := c.start(); err != nil {
			return err
		}
		s.citizens = append(s.citizens, c)
	}
	for _, c := range s.citizens {
		if err := w.current(ctx, s, c); err != nil {
			return err
		}
	}
	if err := s.writeDown(ctx); err != nil {
		return err
	}
	return poll(ctx, settleFor, "the first kind", func(ctx context.Context) error {
		if !w.change(ctx, s, rand.New(rand.NewPCG(w.opt.seed, 0)), whole.Call{ID: fmt.Sprint(s.name, " first ", mono()), Docs: []whole.Doc{{Object: "kind/" + s.family()}}}, s.citizens[0], command{Do: doApply, Body: kindText(s.kind, 0)}) {
			return errWrong
		}
		return nil
	})
}

// current waits until a process serves from memory, and tells it of the round.
func (w *world) current(ctx context.Context, s *side, c *copyOf) error {
	return poll(ctx, settleFor, c.name+" is current", func(ctx context.Context) error {
		if st := c.counts(); st.State != lethe.Current.String() {
			return errors.New(st.State)
		}
		s.mu.Lock()
		ns := s.ns
		s.mu.Unlock()
		_, err := c.ask(ctx, command{Do: doRound, Body: ns}, askFor)
		return err
	})
}

// round is one; an error is not a violation, but a run that can't go on.
func (w *world) round(ctx context.Context, n int) error {
	w.counts.Rounds++
	r := rand.New(rand.NewPCG(w.opt.seed, uint64(n)<<20))
	for _, s := range w.sides {
		s.mu.Lock()
		s.ns, s.sees, s.know = fmt.Sprintf("r%d", n), nil, [objectsMost]whole.Doc{}
		if n > 0 {
			s.calls = nil
		}
		s.mu.Unlock()
		for _, c := range s.citizens {
			if err := w.current(ctx, s, c); err != nil {
				return err
			}
		}
	}
	under, cancel := context.WithTimeout(ctx, between(r, 7*time.Second, 18*time.Second))
	var wg sync.WaitGroup
	for i, s := range w.sides {
		for k := range callersEach {
			wg.Go(func() {
				w.call(under, s, rand.New(rand.NewPCG(w.opt.seed, uint64(n)<<20|uint64(i)<<10|uint64(k)|1<<9)))
			})
		}
		wg.Go(func() { w.turn(under, s, rand.New(rand.NewPCG(w.opt.seed, uint64(n)<<20|uint64(i)<<10|1<<8))) })
	}
	for i := range 2 {
		wg.Go(func() { w.harm(under, rand.New(rand.NewPCG(w.opt.seed, uint64(n)<<20|uint64(i)|1<<15))) })
	}
	wg.Wait()
	cancel()
	for _, s := range w.sides {
		if r.IntN(2) == 0 { // the kind changes last, and no later apply makes up for what is not announced of it
			w.turnOnce(ctx, s, r)
		}
		if err := w.rest(ctx, s); err != nil {
			return err
		}
	}
	last, err := w.word(ctx, n)
	if err != nil {
		return err
	}
	for _, s := range w.sides {
		if err := w.compare(ctx, s, last); err != nil {
			return err
		}
	}
	if err := w.judge(ctx); err != nil {
		return err
	}
	w.say("%5s  round %d: %+v  harm %d  violations %d", time.Since(w.begun).Round(time.Second), n, w.counts, w.harmed.total(), w.violations)
	if w.pair != nil { // behind the round: the copying takes seconds
		if err := w.pair.rebuild(ctx); err != nil {
			w.errors.add(err)
		}
	}
	return nil
}

func (w *world) close() error {
	var errs []error
	for _, s := range w.sides {
		for _, c := range s.citizens {
			if p := c.process(); p != nil {
				p.kill()
			}
		}
		errs = append(errs, s.db.Close())
	}
	if w.node != nil {
		errs = append(errs, w.node.Close())
	}
	if w.nc != nil {
		w.nc.Close()
	}
	if w.bus != nil {
		w.bus.process().kill()
	}
	if w.pair != nil {
		errs = append(errs, w.pair.close())
	}
	if w.violations == 0 {
		errs = append(errs, removeAll(w.dir))
	}
	return errors.Join(errs...)
}

// word says something of its own behind all that was said in a round.
func (w *world) word(ctx context.Context, n int) (last event.Token, err error) {
	err = poll(ctx, settleFor, "the last word", func(ctx context.Context) (err error) {
		last, err = w.node.Invalidate(ctx, event.Tag(fmt.Sprintf("word:%d", n)))
		return err
	})
	return last, err
}
