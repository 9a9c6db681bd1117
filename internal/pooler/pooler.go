// Package pooler finds out how a pool of server connections, such as PgBouncer, stands between a program and PostgreSQL.
//
// Between two transactions a pool may give a client another connection of the server. What rests on the session of one is then lost, or left to
// strangers: LISTEN, session locks, SET, prepared statements by name.
package pooler

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Mode is for how long a client keeps a connection of the server.
type Mode int

const (
	// None is that there is no pool, or none that shows.
	None Mode = iota
	// Session is until the client leaves. All works as without a pool.
	Session
	// Transaction is until the transaction ends.
	Transaction
)

var (
	// ErrStatement says that the pool takes no transactions of several statements.
	ErrStatement = errors.New("the pooler in front of PostgreSQL shares connections by statement (PgBouncer: pool_mode = statement), and a change and its " +
		"announcement are one transaction: use pool_mode = transaction or session")
	// ErrFull says that the pool had no second connection to the server.
	ErrFull = errors.New("the pooler in front of PostgreSQL gives no second connection: raise its default_pool_size; in session mode it takes " +
		"the sum of the pools of all programs that share it")
)

const (
	rounds  = 20              // of looks: other clients may take and give back connections in between
	fullFor = 5 * time.Second // without a second connection
)

// Find asks the database, through pgx; with another driver it finds None. Where there is a pool it needs two connections of db; with one it takes the
// mode for Transaction. It leaves nothing behind in any session.
func Find(ctx context.Context, db *sql.DB) (Mode, error) {
	mine, err := db.Conn(ctx)
	if err != nil {
		return None, explained(err)
	}
	defer func() { _ = mine.Close() }()
	told, ok := toldPID(mine)
	if !ok {
		return None, nil
	}
	// A pool tells each client a number of its own, by which the client may cancel.
	first, err := servedBy(ctx, mine)
	switch {
	case err != nil || first == told:
		return None, err
	case db.Stats().MaxOpenConnections == 1:
		return Transaction, nil
	}
	return contend(ctx, db, mine, first)
}

// contend looks in two ways by turns, since each misses one order of the free connections for ever where no other client disturbs it. A pool that gives
// first what came back last is found out after the other's transaction, one that gives them in turn by the next transaction.
func contend(ctx context.Context, db *sql.DB, mine *sql.Conn, first uint32) (Mode, error) {
	for i := range rounds {
		mode, err := contended(ctx, db, mine, first)
		if err == nil && mode == Session && i%2 == 0 {
			mode, err = kept(ctx, mine, first)
		}
		if err != nil || mode != Session {
			return mode, err
		}
	}
	return Session, nil
}

// kept looks whether the first client still has the connection that it had.
func kept(ctx context.Context, mine *sql.Conn, first uint32) (Mode, error) {
	now, err := servedBy(ctx, mine)
	switch {
	case err != nil:
		return None, err
	case now != first:
		return Transaction, nil
	}
	return Session, nil
}

// contended holds the connection that the pool would give next, and looks which one the first client gets then.
func contended(ctx context.Context, db *sql.DB, mine *sql.Conn, first uint32) (Mode, error) {
	soon, cancel := context.WithTimeout(ctx, fullFor)
	defer cancel()
	tx, err := db.BeginTx(soon, nil)
	if err != nil {
		return None, beginFailed(ctx, soon, err)
	}
	defer func() { _ = tx.Rollback() }()
	held, err := servedBy(soon, tx)
	switch {
	case err != nil:
		return None, beginFailed(ctx, soon, err)
	case held == first:
		return Transaction, nil
	}
	return kept(ctx, mine, first)
}

func beginFailed(ctx, soon context.Context, err error) error {
	var e *pgconn.PgError
	switch {
	case errors.As(err, &e) && strings.Contains(e.Message, "statement pooling"):
		return ErrStatement
	case ctx.Err() == nil && soon.Err() != nil:
		return fmt.Errorf("%w (%w)", ErrFull, err)
	}
	return err
}

// explained says what to do about what a pool refuses before it is asked anything.
func explained(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) || !strings.Contains(e.Message, "unsupported startup parameter") {
		return err
	}
	return fmt.Errorf("the pooler in front of PostgreSQL takes no such parameter from the database's address; set it on the server "+
		"(ALTER ROLE … SET …), and leave it out of the address: %w", err)
}

// toldPID is the number of its server process that a connection was told when it was made.
func toldPID(conn *sql.Conn) (pid uint32, ok bool) {
	_ = conn.Raw(func(raw any) error {
		if own, is := raw.(*stdlib.Conn); is {
			pid, ok = own.Conn().PgConn().PID(), true
		}
		return nil
	})
	return pid, ok
}

// servedBy is the number of the server process that answers.
func servedBy(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
},
) (pid uint32, err error) {
	err = q.QueryRowContext(ctx, "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&pid)
	return pid, err
}

// Safe says whether a connection of db sends statements in a mode of pgx that rests on no session: none is prepared by name, or prepared in one round
// trip and executed in another.
func Safe(ctx context.Context, db *sql.DB) (safe bool, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close() }()
	err = conn.Raw(func(raw any) error {
		own, is := raw.(*stdlib.Conn)
		safe = !is || SafeMode(own.Conn().Config().DefaultQueryExecMode)
		return nil
	})
	return safe, err
}

// SafeMode is Safe of a mode.
func SafeMode(m pgx.QueryExecMode) bool {
	return m != pgx.QueryExecModeCacheStatement && m != pgx.QueryExecModeDescribeExec
}
