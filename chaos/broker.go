package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/chaos/judge"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// item is the spec of the manifests of a run.
type item struct {
	Version int64 `json:"version"`
}

// broker is the process of a node that keeps manifests in a database which other processes share. It reads them through a memoized
// function, writes them when the driver asks, and its relay may be the one that announces what all of them have written.
type broker struct {
	*member
	namespace string
	first     int // of its database's keys
	store     *manifest.Store
	items     *manifest.Broker[item]
	view      *lethe.Func[int, row]
}

func itemName(key int) string { return fmt.Sprintf("k%d", key) }

// writeReason is what the announcement of a version carries, so that it is found in the log.
func writeReason(c judge.Cover) string { return fmt.Sprintf("item %d %d", c.Key, c.Version) }

// beBroker runs until its standard input ends.
func beBroker(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("broker", flag.ContinueOnError)
	name := flags.String("name", "", "of the node")
	url := flags.String("url", "", "of NATS")
	dsn := flags.String("database", "", "its address")
	namespace := flags.String("namespace", "", "of its manifests")
	first := flags.Int("first", 0, "of its keys")
	rate := flags.Int("rate", 50, "reads a second")
	bound := flags.Duration("staleness", 5*time.Second, "MaxStaleness")
	stuck := flags.Bool("stuck", false, "it publishes nothing more after a few seconds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	n, err := lethe.Open(ctx, lethe.Config{
		URL: *url, Fleet: fleet, Name: *name, MaxStaleness: *bound, MaxBytes: 8 << 20, MaxHot: 128, Replicas: serversMost,
		NATSOptions: []nats.Option{nats.PingInterval(3 * time.Second)}, Logger: log,
	})
	if err != nil {
		return err
	}
	defer func() { _ = n.Close() }()
	var p outbox.Publisher = n
	if *stuck {
		p = &stubborn{Node: n, until: time.Now().Add(stuckAfter)}
	}
	b := &broker{member: newMember(n, *rate), namespace: *namespace, first: *first}
	if b.store, err = manifest.Open(ctx, *dsn, p, manifest.WithLogger(log)); err != nil {
		return err
	}
	defer func() { _ = b.store.Close() }()
	if b.items, err = manifest.Register(ctx, b.store, manifest.Kind[item]{APIVersion: "chaos.dev/v1", Name: "Item"}); err != nil {
		return err
	}
	b.view = lethe.Memoize(n, event.Name[int]("chaos.view."+*namespace), b.load, lethe.WithTTL(10*time.Minute))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i := range readers {
		wg.Go(func() { b.read(ctx, i) })
	}
	wg.Go(func() { b.tell(ctx) })
	return b.obey(ctx, &wg, os.Stdin, b.do)
}

func (b *broker) load(ctx context.Context, key int) (row, error) {
	m, err := b.items.Get(ctx, b.namespace, itemName(key))
	return row{key, m.Spec.Version}, err
}

// read reads on and on, at its part of the rate.
func (b *broker) read(ctx context.Context, seed int) {
	r := rand.New(rand.NewPCG(uint64(mono()), uint64(seed)))
	pause := 2 * time.Second * readers / time.Duration(b.rate)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(r.Int64N(int64(pause)))):
		}
		key, need := b.first+r.IntN(itemsMost), int64(0)
		one, cancel := context.WithTimeout(ctx, readFor)
		if t, ok := b.tokens.Load(key); ok && r.IntN(10) == 0 {
			kn, _ := t.(known)
			one, need = lethe.WithToken(one, kn.token), kn.version
		}
		err := b.lookup(one, viewFunc, b.view, key, need)
		cancel()
		if err != nil && ctx.Err() == nil && !errors.Is(err, manifest.ErrNotFound) { // not there before the driver has made it
			b.failed(err)
		}
	}
}

func (b *broker) do(ctx context.Context, c command) (a answer) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.For))
	defer cancel()
	var err error
	switch c.Do {
	case doApply:
		a, err = b.apply(ctx, c.Covers[0])
	case doTicket:
		var t event.Token
		t, err = b.store.Wait(ctx, outbox.Ticket(c.Ticket))
		a.Token = t.String()
	case doWait:
		err = b.wait(ctx, c)
	case doFinal:
		err = b.final(ctx, c)
	}
	if err != nil {
		a.Error, a.Refused = err.Error(), errors.Is(err, event.ErrInvalid)
	}
	return a
}

// apply writes a version, once: a process that was stopped in the middle of it must not undo what others have written since, so
// what it writes names the version of the object that it has read.
func (b *broker) apply(ctx context.Context, c judge.Cover) (a answer, err error) {
	m, err := b.items.Get(ctx, b.namespace, itemName(c.Key))
	switch {
	case errors.Is(err, manifest.ErrNotFound):
		m = manifest.Manifest[item]{Metadata: manifest.Metadata{Namespace: b.namespace, Name: itemName(c.Key)}}
	case err != nil:
		return a, err
	case m.Spec.Version >= c.Version:
		return a, nil // a try before this one did it
	}
	m.Spec.Version = c.Version
	begin := mono()
	r, err := b.items.Apply(event.WithReason(ctx, writeReason(c)), m)
	if err != nil {
		return a, err
	}
	b.applied("local", begin, false, []judge.Cover{c})
	return answer{Ticket: string(r.Ticket)}, nil
}

// final waits for the last token of the run and reads every key until it comes from the cache; every read has to bring the truth.
func (b *broker) final(ctx context.Context, c command) error {
	t, err := event.ParseToken(c.Token)
	if err != nil {
		return err
	}
	if err := b.node.Wait(ctx, t); err != nil {
		return fmt.Errorf("the last token: %w", err)
	}
	for _, k := range c.Covers {
		err := cached(ctx, viewFunc, k.Key, func() (judge.Outcome, bool, error) {
			res, err := b.view.Lookup(ctx, k.Key)
			return judge.Outcome(res.Cache), res.Value.Version == k.Version, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stuckAfter is how long a sabotaged broker publishes.
const stuckAfter = 3 * time.Second

// stubborn is a publisher that breaks the promise: after a while it publishes nothing more.
type stubborn struct {
	*lethe.Node
	until time.Time
}

// Publish publishes while it is time.
func (s *stubborn) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	if time.Now().After(s.until) {
		return event.Token{}, lethe.ErrNotPublished
	}
	return s.Node.Publish(ctx, events...)
}
