package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// noDatabase is the --database-url of a node that keeps no manifests.
const noDatabase = "none"

// database is where manifests are kept; empty: nowhere. Beside a server of its own a node has a database of its own: what
// forgets with the process is remembered no longer than the process, and what stays in --state-dir is kept there. Nodes on
// servers that run elsewhere are of one fleet and have to name the one database they share: each with one by accident would
// apply what the others never find.
func (c *config) database() string {
	switch {
	case c.databaseURL == noDatabase, c.databaseURL == "" && !c.embedded():
		return ""
	case c.databaseURL != "":
		return c.databaseURL
	case c.stateDir != "":
		return "sqlite:" + filepath.Join(c.stateDir, "lethe.db")
	}
	return inMemory
}

// inMemory is a database that ends with the process.
const inMemory = "sqlite::memory:"

// checkDatabase refuses what is no address of a database, without quoting it: there may be a password in it.
func checkDatabase(dsn string) error {
	const want = "want sqlite:FILE, sqlite::memory:, postgres://USER@HOST/DATABASE, or none"
	scheme, rest, _ := strings.Cut(dsn, ":")
	switch scheme {
	case "", noDatabase:
		if rest == "" {
			return nil
		}
	case "sqlite":
		if rest != "" {
			return nil
		}
	case "postgres", "postgresql":
		if u, err := url.Parse(dsn); err == nil && strings.HasPrefix(rest, "//") && u.Opaque == "" {
			return nil
		}
	}
	return fmt.Errorf("--database-url: %s", want)
}

// checkJournal refuses a journal that can't be kept.
func (c *config) checkJournal() error {
	switch {
	case c.journal && c.database() == "":
		return errors.New("--journal: this node keeps no manifests, whose journal it would be: give --database-url")
	case c.journal && c.journalFor < manifest.MinJournal:
		return fmt.Errorf("--journal-for %v: want at least %v", c.journalFor, manifest.MinJournal)
	}
	return nil
}

// journaled is how the store is opened where a journal is wanted.
func (c *config) journaled() []manifest.Option {
	if !c.journal {
		return nil
	}
	return []manifest.Option{manifest.WithJournal(c.journalFor)}
}

// openDatabase opens the manifests, if the node keeps any.
func openDatabase(ctx context.Context, cfg *config, node *lethe.Node, logger *slog.Logger, opened *closers) (*manifest.Store, error) {
	dsn := cfg.database()
	if dsn == "" {
		logger.Info("manifests are off: --database-url names no database")
		return nil, nil //nolint:nilnil // a node without a database is a whole node
	}
	if dsn == inMemory && !cfg.embedded() {
		logger.Warn("--database-url sqlite::memory: is this node's own: no other node of the fleet finds what is applied here")
	}
	store, err := opening(ctx, cli.RedactDatabase(dsn), openNotice, openFor, logger, func(ctx context.Context) (*manifest.Store, error) {
		return manifest.Open(ctx, dsn, node, append(cfg.journaled(), manifest.WithLogger(logger))...)
	})
	if err != nil {
		return nil, fmt.Errorf("--database-url %s: %w", cli.RedactDatabase(dsn), hidden(err, dsn))
	}
	opened.add(store.Close)
	return store, nil
}

// Bounds of opening the database, its tables made or updated: the node answers nothing before.
const (
	openNotice = 2 * time.Second // then the log says what is waited for
	openFor    = 30 * time.Second
)

// opening opens a database within most, and logs when it takes longer than notice.
func opening(ctx context.Context, name string, notice, most time.Duration, logger *slog.Logger, open func(context.Context) (*manifest.Store, error)) (*manifest.Store, error) {
	within, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	said := make(chan struct{})
	late := time.AfterFunc(notice, func() {
		defer close(said)
		logger.Warn("waiting for the database", "database-url", name, "at most", most)
	})
	store, err := open(within)
	if !late.Stop() {
		<-said
	}
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return nil, cli.Exit(cli.CodeFailed, fmt.Errorf("the database did not answer within %v, or is locked; see that it runs and start the node again: %w", most, err))
	}
	return store, err
}

// hidden is err, unless its text has what is secret of dsn in it.
func hidden(err error, dsn string) error {
	text := err.Error()
	secrets := []string{dsn}
	if u, parsed := url.Parse(dsn); parsed == nil && u.User != nil {
		if password, ok := u.User.Password(); ok && password != "" {
			secrets = append(secrets, password)
		}
	}
	clean := text
	for _, s := range secrets {
		clean = strings.ReplaceAll(clean, s, "…")
	}
	if clean == text {
		return err
	}
	return errors.New(clean)
}
