package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// Names of the memoized functions.
const (
	Name  event.Name[string] = "shop.name"  // what a product is called: an old answer is better than a slow one
	Stock event.Name[string] = "shop.stock" // how many there are: an old answer is worse than a slow one
)

// service is one replica.
type service struct {
	db    *sql.DB
	nc    *nats.Conn
	node  *lethe.Node
	relay *outbox.Relay
	name  *lethe.Func[string, string]
	stock *lethe.Func[string, int]
}

// newService does not need the bus to be there: what it reads comes from the database until it is.
func newService(ctx context.Context, url, name string, db *sql.DB) (*service, error) {
	nc, err := nats.Connect(url, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	s := &service{db: db, nc: nc}
	// 5 s is the shortest bound there is; 10 s is the default.
	s.node, err = lethe.Open(ctx, lethe.Config{Conn: nc, Fleet: "shop", Name: name, MaxStaleness: 5 * time.Second})
	if err != nil {
		nc.Close()
		return nil, err
	}
	if s.relay, err = outbox.StartRelay(ctx, db, s.node, outbox.RelayConfig{}); err != nil {
		err = join(err, s.node.Close())
		nc.Close()
		return nil, err
	}
	s.name = lethe.Memoize(s.node, Name, s.loadName, lethe.WithPolicy(lethe.ServeStale(10*time.Minute)))
	s.stock = lethe.Memoize(s.node, Stock, s.loadStock) // lethe.Bypass is the default
	return s, nil
}

func (s *service) loadName(ctx context.Context, sku string) (name string, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT name FROM products WHERE sku = $1", sku).Scan(&name)
	return name, err
}

func (s *service) loadStock(ctx context.Context, sku string) (n int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT stock FROM products WHERE sku = $1", sku).Scan(&n)
	return n, err
}

// sell writes and then says so. Without the bus the write stands, this replica has forgotten the old value, and the others have
// not heard: when the bus is back they serve what they had. The error says so, and that it has to be said again.
func (s *service) sell(ctx context.Context, sku string) error {
	if _, err := s.db.ExecContext(ctx, "UPDATE products SET stock = stock - 1 WHERE sku = $1", sku); err != nil {
		return err
	}
	_, err := s.stock.Invalidate(ctx, sku)
	if errors.Is(err, lethe.ErrNotPublished) {
		return fmt.Errorf("%s is sold, and has to be announced again: %w", sku, err)
	}
	return err
}

// announce says again what sell could not.
func (s *service) announce(ctx context.Context, sku string) error {
	token, err := s.stock.Invalidate(ctx, sku)
	if err != nil {
		return err
	}
	return s.node.Wait(ctx, token)
}

// rename writes, and commits with the write that it has to be said. Nobody can forget to say it, and the bus need not be there.
func (s *service) rename(ctx context.Context, sku, name string) (outbox.Ticket, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback() }() // nothing, after a commit
	if _, err := tx.ExecContext(ctx, "UPDATE products SET name = $1 WHERE sku = $2", name, sku); err != nil {
		return "", err
	}
	ticket, err := outbox.Append(ctx, tx, Name.Key(sku))
	if err != nil {
		return "", err
	}
	return ticket, tx.Commit()
}

// close ends in the opposite order; a connection that was given to a node stays its giver's to close.
func (s *service) close() error {
	err := join(s.relay.Close(), s.node.Close())
	s.nc.Close()
	return err
}

func join(errs ...error) error { return errors.Join(errs...) }
