package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

const fleetName = "demo"

// fleet is the nodes, the folder they serve, and what is needed to talk to them.
type fleet struct {
	node, publisher, platform string // programs
	dir                       string // the copy of the catalog
	state                     string // where the database is
	samples                   string // the manifests
	files                     *files
	nodes                     []*node
	services                  []*service
}

func newFleet(bin, catalog, samples string) (*fleet, error) {
	dir, err := os.MkdirTemp("", "lethe-demo-")
	if err != nil {
		return nil, err
	}
	f := &fleet{
		node: filepath.Join(bin, "lethe-node"), publisher: filepath.Join(bin, "lethe-publisher"), platform: filepath.Join(bin, "platform"),
		dir: dir, samples: samples,
	}
	if f.state, err = os.MkdirTemp("", "lethe-demo-state-"); err != nil {
		return nil, errors.Join(err, f.close())
	}
	if err := os.CopyFS(dir, os.DirFS(catalog)); err != nil {
		return nil, errors.Join(fmt.Errorf("copy %s: %w", catalog, err), f.close())
	}
	if f.files, err = scan(dir); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// launch starts node number i: the first with a NATS server in it, the others connected to that one.
func (f *fleet) launch(ctx context.Context, i int) error {
	name := fmt.Sprintf("node-%d", i+1)
	args := []string{
		"serve", "--fleet", fleetName, "--files", f.dir, "--database-url", f.database(), "--http", "127.0.0.1:0", "--log-format", "json",
	}
	if i == 0 {
		args = append(args, "--nats-listen", "127.0.0.1:0")
	} else {
		args = append(args, "--nats-url", f.nodes[0].nats)
	}
	p, err := launch(ctx, f.node, name, args...)
	if p != nil {
		f.nodes = append(f.nodes, newNode(p))
	}
	return err
}

// database is the one of all: a file, which processes of one machine can share.
func (f *fleet) database() string { return "sqlite:" + filepath.Join(f.state, "lethe.db") }

// publish runs lethe-publisher.
func (f *fleet) publish(ctx context.Context, args ...string) ([]byte, error) {
	return output(ctx, f.publisher, append([]string{"--server", f.nodes[0].nats, "--fleet", fleetName, "-o", "json"}, args...)...)
}

// close ends the nodes, the one with the server last, and removes the copy.
func (f *fleet) close() error {
	var problems []error
	for _, s := range f.services {
		problems = append(problems, s.end())
		s.client.CloseIdleConnections()
	}
	for _, n := range slices.Backward(f.nodes) {
		problems = append(problems, n.close())
	}
	return errors.Join(append(problems, os.RemoveAll(f.dir), os.RemoveAll(f.state))...)
}

func (f *fleet) logs(w io.Writer) {
	var all []*process
	for _, n := range f.nodes {
		all = append(all, n.process)
	}
	for _, s := range f.services {
		all = append(all, s.process)
	}
	for _, p := range all {
		fmt.Fprintf(w, "\nlast lines of %s:\n", p.name)
		for _, line := range p.lines() {
			fmt.Fprintln(w, "  "+line)
		}
	}
}
