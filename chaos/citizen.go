package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// beBus is the process of a world's NATS server, until its standard input ends.
func beBus(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bus", flag.ContinueOnError)
	dir := flags.String("dir", "", "of its store")
	listen := flags.String("listen", "", "host:port")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, err := embedded.Start(ctx, embedded.Config{StateDir: *dir, Listen: *listen})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	_, err = os.Stdin.Read(make([]byte, 1)) // nobody writes
	return err
}

// citizen is the process of a node in a world: it keeps manifests in a database that others share, reads them through functions that it memoizes, and
// does what the driver asks. Its relay may be the one that announces.
type citizen struct {
	*member
	kind  string // of its database's objects
	store *manifest.Store
	views map[string]*view
	round atomic.Pointer[string] // the namespace at the moment
	busy  atomic.Int64           // calls under way
}

// beCitizen runs until its standard input ends.
func beCitizen(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("citizen", flag.ContinueOnError)
	name := flags.String("name", "", "of the node")
	url := flags.String("url", "", "of NATS")
	dsn := flags.String("database", "", "its address")
	kind := flags.String("kind", "", "of its objects")
	rate := flags.Int("rate", 200, "reads a second")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	n, err := lethe.Open(ctx, lethe.Config{
		URL: *url, Fleet: fleet, Name: *name, MaxStaleness: 5 * time.Second, MaxBytes: 8 << 20, MaxHot: 128,
		NATSOptions: []nats.Option{nats.PingInterval(3 * time.Second)}, Logger: log,
	})
	if err != nil {
		return err
	}
	defer func() { _ = n.Close() }()
	c := &citizen{member: newMember(n, *rate), kind: *kind}
	if c.store, err = openUntil(ctx, *dsn, n, log); err != nil {
		return err
	}
	defer func() { _ = c.store.Close() }()
	c.views = c.memoize()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i := range readers {
		wg.Go(func() { c.read(ctx, i) })
	}
	wg.Go(func() { c.tell(ctx) })
	return c.obey(ctx, &wg, os.Stdin, c.do)
}

// openUntil opens a database that may be away just now, as an orchestrator would by starting the process again.
func openUntil(ctx context.Context, dsn string, n *lethe.Node, log *slog.Logger) (*manifest.Store, error) {
	for {
		one, cancel := context.WithTimeout(ctx, 30*time.Second)
		store, err := manifest.Open(one, dsn, n, manifest.WithLogger(log))
		cancel()
		if err == nil || ctx.Err() != nil {
			return store, err
		}
		log.Warn("the database can't be opened just now", "error", err)
		wait(ctx, 200*time.Millisecond)
	}
}

// read looks at what there is, at its part of the rate, so that there is something to be forgotten.
func (c *citizen) read(ctx context.Context, seed int) {
	r := rand.New(rand.NewPCG(uint64(mono()), uint64(seed)))
	pause := 2 * time.Second * readers / time.Duration(c.rate)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(r.Int64N(int64(pause)))):
		}
		ns := c.round.Load()
		if ns == nil {
			continue
		}
		all := viewKeys(*ns)
		k := all[r.IntN(len(all))]
		one, cancel := context.WithTimeout(ctx, readFor)
		_, err := c.views[k.view].Lookup(one, k.key)
		cancel()
		if err != nil && ctx.Err() == nil && !errors.Is(err, manifest.ErrNotFound) {
			c.failed(err)
		}
	}
}

func (c *citizen) do(ctx context.Context, cmd command) (a answer) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(cmd.For))
	defer cancel()
	ctx = event.WithReason(ctx, cmd.Reason)
	var err error
	switch cmd.Do {
	case doIdle:
		if err = c.idle(ctx); err != nil {
			return answer{Error: err.Error()}
		}
		return answer{}
	case doRound:
		c.round.Store(&cmd.Body)
		return answer{}
	}
	c.busy.Add(1)
	defer c.busy.Add(-1)
	switch cmd.Do {
	case doApply:
		var all []manifest.Result[json.RawMessage]
		all, err = c.store.Apply(ctx, []byte(cmd.Body))
		a = c.results(all)
	case doDelete:
		var r manifest.Result[json.RawMessage]
		r, err = c.store.Delete(ctx, c.kind, cmd.Kind, cmd.Body)
		a = c.results([]manifest.Result[json.RawMessage]{r})
	case doList:
		var all []manifest.Object
		if all, err = c.store.ListAll(ctx, c.kind, manifest.ListOptions{Namespace: cmd.Kind}); err == nil {
			a = c.listed(all)
		}
	case doTicket:
		var t event.Token
		t, err = c.store.Wait(ctx, outbox.Ticket(cmd.Ticket))
		a.Token = t.String()
	case doSee:
		a.Body, err = c.see(ctx, cmd)
	case doFinal:
		a.Body, err = c.compare(ctx, cmd)
	}
	if err != nil {
		a.Error, a.Refused = err.Error(), !errors.Is(err, manifest.ErrUnknown)
	}
	return a
}

// idle waits until nothing that was asked before is under way.
func (c *citizen) idle(ctx context.Context) error {
	const looks = 25 // in a row: what was asked last may not have begun
	for quiet := 0; quiet < looks; {
		quiet++
		if c.busy.Load() > 0 {
			quiet = 0
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// found is what a call found, or did, of one object.
type found struct {
	Name    string          `json:"name"`
	Version string          `json:"version"`
	Action  manifest.Action `json:"action,omitempty"`
	Spec    string          `json:"spec,omitempty"`
}

func (c *citizen) results(all []manifest.Result[json.RawMessage]) (a answer) {
	list := make([]found, len(all))
	for i, r := range all {
		list[i] = found{r.Manifest.Metadata.Name, r.Manifest.Metadata.ResourceVersion, r.Action, ""}
		a.Ticket, a.Token = string(r.Ticket), r.Token.String()
	}
	a.Body = mustJSON(list)
	return a
}

func (c *citizen) listed(all []manifest.Object) (a answer) {
	list := make([]found, len(all))
	for i := range all {
		list[i] = found{all[i].Metadata.Name, all[i].Metadata.ResourceVersion, "", string(all[i].Spec)}
	}
	a.Body = mustJSON(list)
	return a
}

// see reads an object through its view, after a token.
func (c *citizen) see(ctx context.Context, cmd command) (string, error) {
	t, err := event.ParseToken(cmd.Token)
	if err != nil {
		return "", err
	}
	if err := c.node.Wait(ctx, t); err != nil {
		return "", err
	}
	r, err := c.views[viewObject].Lookup(ctx, cmd.Body)
	return r.Value, err
}

// compared is what came of the comparison of all views of a process.
type compared struct {
	Views int      `json:"views"`
	Hits  int      `json:"hits"`
	Wrong []string `json:"wrong"`
}

// compare waits for the last token, and compares what each view says with what its function says when it runs anew.
func (c *citizen) compare(ctx context.Context, cmd command) (string, error) {
	t, err := event.ParseToken(cmd.Token)
	if err != nil {
		return "", err
	}
	if err := c.node.Wait(ctx, t); err != nil {
		return "", fmt.Errorf("the last token: %w", err)
	}
	var all compared
	for _, k := range viewKeys(cmd.Body) {
		v := c.views[k.view]
		r, err := v.Lookup(ctx, k.key)
		anew, err2 := v.load(ctx, k.key)
		if err != nil || err2 != nil {
			return "", fmt.Errorf("%s %s: %w", k.view, k.key, errors.Join(err, err2))
		}
		all.Views++
		if r.Cache == lethe.Hit {
			all.Hits++
		}
		if r.Value != anew {
			all.Wrong = append(all.Wrong, fmt.Sprintf("%s of %s is a %s: %s; anew it is %s", k.view, k.key, r.Cache, r.Value, anew))
		}
	}
	return mustJSON(all), nil
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it has nothing that JSON can't say
	}
	return string(b)
}
