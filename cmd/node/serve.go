package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// serve runs the node until ctx ends; then it lets requests finish, closes what it opened in the opposite order, and
// returns nil.
func serve(ctx context.Context, cfg config, stderr io.Writer) (err error) {
	if err := cfg.validate(); err != nil {
		return err
	}
	logger := newLogger(cfg, stderr)
	var opened closers
	defer func() { err = errors.Join(err, opened.close()) }()

	loopback, err := isLoopback(cfg.http)
	if err != nil {
		return err
	}
	g, err := newGuard(cfg.httpTokenFile, loopback)
	if err != nil {
		return err
	}
	var probes *admin
	if cfg.admin != "" {
		if probes, err = openAdmin(ctx, cfg.admin); err != nil {
			return err
		}
		opened.add(probes.close)
	}
	listener, err := listen(ctx, "--http", cfg.http)
	if err != nil {
		return err
	}
	opened.add(func() error { return ignoreClosed(listener.Close()) })
	var files *folder
	if cfg.files != "" {
		if files, err = openFolder(cfg.files); err != nil {
			return cli.Exit(cli.CodeUsage, err)
		}
		opened.add(files.Close)
	}
	conn, err := connect(ctx, &cfg, logger, &opened)
	if err != nil {
		return err
	}
	node, err := lethe.Open(ctx, cfg.node(conn.Conn, logger))
	if err != nil {
		return cli.Exit(cli.CodeUsage, err)
	}
	opened.add(node.Close)
	store, err := openDatabase(ctx, &cfg, node, logger, &opened)
	if err != nil {
		return err
	}
	a, err := newAPI(node, conn, files, store, cfg.maxTTL, logger)
	if err != nil {
		return err
	}
	stop, err := ctl.ServeWith(conn.Conn, node, a.outbox, a.endpoints()...)
	if err != nil {
		return err
	}
	opened.add(stop)
	opened.add(g.reloads(ctx, logger))
	a.ending = cfg.ending(loopback)
	said := []any{"fleet", cfg.fleet, "node", node.Status().Name, "http", "http://" + listener.Addr().String(), "nats", conn.url}
	if probes != nil {
		probes.serve(a.adminHandler(), logger)
		said = append(said, "admin", "http://"+probes.listener.Addr().String())
	}
	logger.Info("serving", said...)
	return a.run(ctx, a.server(a.handler(g)), listener)
}

// watchReady notes when the node was first Ready, and its database announced on the node's bus; it says in the log what it is
// waiting for when that takes long.
func (a *api) watchReady(ctx context.Context) {
	if !a.await(ctx, a.node.Ready, "") {
		return
	}
	a.events.begin(a.node.Position())
	if a.manifests != nil && !a.await(ctx, a.manifests.Ready, "manifests are neither read nor applied here") {
		return
	}
	a.ready.Store(true)
	a.logger.Info("ready", "cursor", a.node.Status().Cursor)
}

// await waits until ready says so, or ctx ends, and logs why not, and what works meanwhile where the reason does not tell.
func (a *api) await(ctx context.Context, ready func(context.Context) error, meanwhile string) bool {
	const patience = 5 * time.Second
	for {
		waiting, cancel := context.WithTimeout(ctx, patience)
		err := ready(waiting)
		cancel()
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil, errors.Is(err, lethe.ErrClosed):
			return false
		}
		said := []any{"reason", a.conn.trouble(err)}
		if meanwhile != "" {
			said = append(said, "meanwhile", meanwhile)
		}
		a.logger.Warn("not ready", said...)
		select {
		case <-waiting.Done(): // what is refused at once is asked about no more often
		case <-ctx.Done():
			return false
		}
	}
}

// listen listens on the address of a flag.
func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s %s: another process listens there: end it, or give another %[1]s address (port 0 takes any free one)", flag, address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return l, nil
}

// closers end what was begun, the last first.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c *closers) close() error {
	var problems []error
	for i := len(*c) - 1; i >= 0; i-- {
		problems = append(problems, (*c)[i]())
	}
	*c = nil
	return errors.Join(problems...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
