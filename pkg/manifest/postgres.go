package manifest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/lethe-cache/lethe/internal/pooler"
)

// Connections to PostgreSQL: pool_max_conns in its address says otherwise. Half of them change, at most.
const (
	postgresConns = 16
	postgresLeast = 4
)

func postgresEngine() engine {
	return engine{
		dialect: goose.DialectPostgres,
		// Whatever the database's default is: what is read after a lock has to be the latest.
		options: sql.TxOptions{Isolation: sql.LevelReadCommitted},
		number:  "SELECT nextval('lethe_manifest_changes')",
		// A process that is stopped in the middle of a change keeps others waiting no longer than these 15 seconds.
		lock: "SELECT set_config('idle_in_transaction_session_timeout', '15s', true), CASE WHEN alone THEN pg_advisory_xact_lock($1, key) ELSE pg_advisory_xact_lock_shared($1, key) END " +
			"FROM unnest($2::int[], $3::bool[]) AS wanted (key, alone)",
		below: "SELECT DISTINCT r.to_family, r.to_namespace, r.to_name FROM lethe_manifest_references r " +
			"JOIN unnest($1::text[], $2::text[], $3::text[]) AS w (family, namespace, name) " +
			"ON r.from_family = w.family AND r.from_namespace = w.namespace AND r.from_name = w.name",
		content: "encode(sha256(convert_to(m.spec, 'UTF8')), 'hex')",
		contentOf: func(spec string) string {
			sum := sha256.Sum256([]byte(spec))
			return hex.EncodeToString(sum[:])
		},
		inTx:    true,
		lost:    postgresLost,
		dead:    func(err error) bool { return postgresLost(err) && !errors.As(err, new(*pgconn.ConnectError)) },
		again:   postgresAgain,
		unknown: postgresUnknown,
	}
}

// postgresAgain: a transaction that PostgreSQL ended because of another one.
func postgresAgain(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}

// postgresLost: the server is going down, or the connection is.
func postgresLost(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return strings.HasPrefix(e.Code, "57P") || e.Code == "25P03" // the server is going down; it has waited too long for us
	}
	return pgconn.SafeToRetry(err) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, new(*net.OpError))
}

// postgresUnknown: a COMMIT has happened unless the server says no. When it says that it is going down (class 57), that is no
// answer. What pgx says is none either: "conn closed" counts as safe to retry even where COMMIT was sent.
func postgresUnknown(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return strings.HasPrefix(e.Code, "57")
	}
	return !errors.Is(err, pgx.ErrTxCommitRollback)
}

func openPostgres(ctx context.Context, dsn string) (*database, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err) // pgx hides the password
	}
	conns := postgresConns
	if text, ok := cfg.RuntimeParams["pool_max_conns"]; ok {
		delete(cfg.RuntimeParams, "pool_max_conns")
		if conns, err = strconv.Atoi(text); err != nil || conns < postgresLeast {
			return nil, fmt.Errorf("manifest: pool_max_conns of the database's address is %q: use a number of at least %d", clip(text), postgresLeast)
		}
	}
	db := connect(cfg, conns)
	pool, err := pooler.Find(ctx, db)
	if err == nil && pool != pooler.None {
		err = searched(ctx, db, cfg)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("manifest: %w", err), db.Close())
	}
	if pool == pooler.Transaction && !pooler.SafeMode(cfg.DefaultQueryExecMode) {
		if err := db.Close(); err != nil {
			return nil, fmt.Errorf("manifest: %w", err)
		}
		cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		db = connect(cfg, conns)
	}
	return &database{engine: postgresEngine(), read: db, write: db, turns: make(chan struct{}, conns/2), close: db.Close}, nil
}

func connect(cfg *pgx.ConnConfig, conns int) *sql.DB {
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db
}

// searched refuses a pooler that was told to leave out the search_path of the database's address: the tables would be made, or looked for, elsewhere.
func searched(ctx context.Context, db *sql.DB, cfg *pgx.ConnConfig) error {
	asked, ok := cfg.RuntimeParams["search_path"]
	if !ok {
		return nil
	}
	var has string
	if err := db.QueryRowContext(ctx, "SELECT current_setting('search_path')", pgx.QueryExecModeExec).Scan(&has); err != nil {
		return err
	}
	bare := strings.NewReplacer(" ", "", `"`, "")
	if bare.Replace(has) != bare.Replace(asked) {
		return fmt.Errorf("the pooler in front of PostgreSQL leaves out the search_path %q of the database's address, it is %q: set it by ALTER ROLE … SET "+
			"search_path, and leave it out of the address", clip(asked), clip(has))
	}
	return nil
}
