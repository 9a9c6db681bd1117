package brokers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// bot is the spec that is applied.
type bot struct {
	Model   string   `json:"model"`
	Plugins []string `json:"plugins"`
}

// committed is a node that notes when a store told it what had been committed: at once, before it is published.
type committed struct {
	*lethe.Node
	at atomic.Int64
}

func (c *committed) Forget(targets ...event.Target) {
	c.at.Store(time.Now().UnixNano())
	c.Node.Forget(targets...)
}

// Manifests measures brokers: how many applies a second a store takes, and how long after a commit the last of nodes, each in
// a process of its own, has applied its event.
func Manifests(ctx context.Context, dsn string, nodes, events int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if dsn == "sqlite" {
		dir, err := os.MkdirTemp("", "lethe-bench-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		dsn = "sqlite:" + filepath.Join(dir, "lethe.db")
	}
	server, url, err := start(ctx, "brokers-serve")
	if err != nil {
		return err
	}
	defer server.stop()
	all := make(chan heard, 1<<16)
	for range nodes {
		c, _, err := start(ctx, "brokers-hold", url, "bench")
		if err != nil {
			return err
		}
		defer c.stop() //nolint:gocritic // all of them live until the end
		go c.tell(all)
	}
	node, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: "bench"})
	if err != nil {
		return err
	}
	defer func() { _ = node.Close() }()
	if err := node.Ready(ctx); err != nil {
		return err
	}
	p := &committed{Node: node}
	store, err := manifest.Open(ctx, dsn, p)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if err := store.Ready(ctx); err != nil {
		return err
	}
	bots, err := manifest.Register(ctx, store, manifest.Kind[bot]{APIVersion: "bench.example.dev/v1", Name: "Bot", Plural: "bots"})
	if err != nil {
		return err
	}
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	apply := func(ctx context.Context, name, model string) error {
		_, err := bots.Apply(ctx, manifest.Manifest[bot]{
			Metadata: manifest.Metadata{Namespace: "bench", Name: name},
			Spec:     bot{Model: model, Plugins: []string{"search", "mail"}},
		})
		return err
	}
	var toLast []float64
	for i := range events {
		id := fmt.Sprintf("%s-%d", run, i)
		if err := apply(event.WithReason(ctx, id), "bot-"+strconv.Itoa(i%50), id); err != nil {
			return err
		}
		var last int64
		for got := 0; got < nodes; {
			select {
			case h := <-all:
				if h.id == id {
					got++
					last = max(last, h.at)
				}
			case <-ctx.Done():
				return fmt.Errorf("%s reached too few nodes: %w", id, ctx.Err())
			}
		}
		toLast = append(toLast, float64(last-p.at.Load())/1e3)
		<-time.After(pause)
	}
	slices.Sort(toLast)
	one, err := rate(ctx, 1, events*4, func(ctx context.Context, i int) error {
		return apply(ctx, "one-"+strconv.Itoa(i%100), run+strconv.Itoa(i))
	})
	if err != nil {
		return err
	}
	many, err := rate(ctx, 16, events*16, func(ctx context.Context, i int) error {
		return apply(ctx, "many-"+strconv.Itoa(i%400), run+strconv.Itoa(i))
	})
	if err != nil {
		return err
	}
	engine, _, _ := strings.Cut(dsn, ":")
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"engine": engine, "nodes": nodes, "events": len(toLast),
		"commitToAppliedP50us": int(toLast[len(toLast)/2]), "commitToAppliedP99us": int(toLast[len(toLast)*99/100]),
		"appliesPerSecond": int(one), "appliesPerSecond16Callers": int(many),
	})
}

// rate calls do n times from several goroutines and returns calls per second.
func rate(ctx context.Context, callers, n int, do func(context.Context, int) error) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for range callers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := do(ctx, int(i)); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(begin).Seconds(), context.Cause(ctx)
}
