package local

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// tag is what every product carries.
const tag = "brand:acme"

// openNode opens a node on a server of its own in this process, and waits for its lease.
func openNode(ctx context.Context, cfg lethe.Config) (*lethe.Node, func() error, error) {
	node, _, stop, err := openNodeConn(ctx, cfg)
	return node, stop, err
}

// openNodeConn also has the node's connection, on which others may live.
func openNodeConn(ctx context.Context, cfg lethe.Config) (*lethe.Node, *nats.Conn, func() error, error) {
	server, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return nil, nil, nil, err
	}
	conn, err := server.Connect()
	if err != nil {
		return nil, nil, nil, errors.Join(err, server.Close())
	}
	cfg.Conn = conn
	node, err := lethe.Open(ctx, cfg)
	if err != nil {
		conn.Close()
		return nil, nil, nil, errors.Join(err, server.Close())
	}
	stop := func() error {
		err := node.Close()
		conn.Close()
		return errors.Join(err, server.Close())
	}
	ready, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := node.Ready(ready); err != nil {
		return nil, nil, nil, errors.Join(err, stop())
	}
	return node, conn, stop, nil
}

type depth int

// deep is a context five values deep, as a request's is.
func deep(ctx context.Context) context.Context {
	for i := range depth(5) {
		ctx = context.WithValue(ctx, i, i) //nolint:fatcontext // that it is deep is the point
	}
	return ctx
}

// letheWith opens Lethe under a name. Entries carry the labels of the function, the key, and a tag with its two boundaries.
// everything is what its clear forgets. A MaxHot below zero is room for all.
func letheWith(name string, cfg lethe.Config, everything event.Target, opts ...lethe.Option) opener {
	return func(ctx context.Context, room int) (*cache, error) {
		if cfg.MaxHot < 0 {
			cfg.MaxHot, cfg.MaxHotBytes = room, int64(room)*4096
		}
		node, conn, stop, err := openNodeConn(ctx, cfg)
		if err != nil {
			return nil, err
		}
		l := &loader{}
		opts := append([]lethe.Option{
			lethe.WithTTL(ttl), lethe.WithTags(func(_ string, v *product) []string { return []string{"brand:" + v.Brand} }),
		}, opts...)
		f := lethe.Memoize(node, "bench.product", l.load, opts...)
		other := lethe.Memoize(node, "bench.other", l.load)
		ctx = deep(ctx)
		c := &cache{
			name: name, close: stop, loads: l, node: node, conn: conn,
			get:    func(k string) (*product, error) { return f.Get(ctx, k) },
			has:    func(k string) bool { _, ok := f.Peek(ctx, k); return ok },
			drop:   func(k string) { node.Forget(other.Target(k)) },
			target: other.Target,
			clear:  func() { node.Forget(everything) },
			fill:   func(keys []string) error { return fillLethe(ctx, f, keys) },
		}
		return c, checkLabels(ctx, node, f, c)
	}
}

// fillLethe keeps keys, some at a time, on all cores.
func fillLethe(ctx context.Context, f *lethe.Func[string, *product], keys []string) error {
	const some = 2048
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for part := range slices.Chunk(keys, some) {
		g.Go(func() error {
			_, err := f.Fill(ctx, func(context.Context) (map[string]*product, error) {
				m := make(map[string]*product, len(part))
				for _, k := range part {
					m[k] = newProduct(k)
				}
				return m, nil
			})
			return err
		})
	}
	return g.Wait()
}

// checkLabels makes sure that entries carry at least four labels.
func checkLabels(ctx context.Context, node *lethe.Node, f *lethe.Func[string, *product], c *cache) error {
	k := keyOf("label-", 0)
	if _, err := c.get(k); err != nil {
		return err
	}
	x, err := node.Explain(ctx, f.Target(k))
	if err != nil {
		return err
	}
	if n := len(x.Labels); n < 4 || !x.Usable {
		return wrong(c.name, "holds an entry with %d labels, usable %v", n, x.Usable)
	}
	return nil
}
