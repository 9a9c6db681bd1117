package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver

	"github.com/lethe-cache/lethe/examples/internal/web"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// Product is a memoized function of the services that read. A program that only writes knows its name.
const Product event.Name[string] = "catalog.product"

func main() {
	ctx, stop := web.Signals()
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "outbox:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	db, closeDB, err := openDB(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDB()) }()
	node, closeNode, err := openNode(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeNode()) }()

	if err := outbox.Migrate(ctx, db); err != nil {
		return err
	}
	relay, err := outbox.StartRelay(ctx, db, node, outbox.RelayConfig{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, relay.Close()) }()
	if err := relay.Ready(ctx); err != nil {
		return err
	}
	return show(ctx, db, relay)
}

// show changes a product a few times.
func show(ctx context.Context, db *sql.DB, relay *outbox.Relay) error {
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS products (sku TEXT PRIMARY KEY, name TEXT NOT NULL)"); err != nil {
		return err
	}
	for _, name := range []string{"Lamp", "Desk lamp", "Desk lamp, green"} {
		ticket, err := rename(ctx, db, "sku-42", name, true)
		if err != nil {
			return err
		}
		began := time.Now()
		token, err := relay.Wait(ctx, ticket)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "%-18q committed, and in the stream as %s after %v\n", name, token, time.Since(began).Round(10*time.Microsecond))
	}
	ticket, err := rename(ctx, db, "sku-42", "Chair", false)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := relay.Wait(ctx, ticket); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("a change that rolled back was announced: %w", err)
	}
	fmt.Fprintf(os.Stdout, "%-18q rolled back, and not announced\n", "Chair")
	return nil
}

// rename changes a product and announces the change, in one transaction. The product's row comes first: the order of
// announcements is drawn while it is locked.
func rename(ctx context.Context, db *sql.DB, sku, name string, commit bool) (outbox.Ticket, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback() }() // nothing, after a commit
	upsert := "INSERT INTO products (sku, name) VALUES ($1, $2) ON CONFLICT (sku) DO UPDATE SET name = excluded.name"
	if _, err := tx.ExecContext(ctx, upsert, sku, name); err != nil {
		return "", err
	}
	ticket, err := outbox.Append(ctx, tx, Product.Key(sku), event.Tag("search:products"))
	if err != nil || !commit {
		return ticket, err
	}
	return ticket, tx.Commit()
}

// openDB opens the database that DATABASE_URL names, else a file.
func openDB(ctx context.Context) (*sql.DB, func() error, error) {
	if url := os.Getenv("DATABASE_URL"); url != "" {
		pool, err := pgxpool.New(ctx, url)
		if err != nil {
			return nil, nil, err
		}
		db := stdlib.OpenDBFromPool(pool)
		return db, func() error {
			err := db.Close()
			pool.Close()
			return err
		}, nil
	}
	folder, err := os.MkdirTemp("", "lethe-outbox-")
	if err != nil {
		return nil, nil, err
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "shop.db")+
		"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, nil, err
	}
	return db, func() error { return errors.Join(db.Close(), os.RemoveAll(folder)) }, nil
}

// openNode opens a node that only publishes; with a server of its own, where no other node makes the stream, one that does all.
func openNode(ctx context.Context) (*lethe.Node, func() error, error) {
	cfg := lethe.Config{URL: os.Getenv("NATS_URL"), Fleet: "shop", PublishOnly: true}
	end := func() error { return nil }
	if cfg.URL == "" {
		srv, err := embedded.Start(ctx, embedded.Config{})
		if err != nil {
			return nil, nil, err
		}
		nc, err := srv.Connect()
		if err != nil {
			return nil, nil, errors.Join(err, srv.Close())
		}
		cfg.Conn, cfg.PublishOnly = nc, false
		end = func() error {
			nc.Close()
			return srv.Close()
		}
	}
	node, err := lethe.Open(ctx, cfg)
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return node, func() error { return errors.Join(node.Close(), end()) }, nil
}
