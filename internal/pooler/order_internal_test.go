package pooler

import (
	"context"
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/lethe-cache/lethe/internal/pgtest"
)

// A connection to the server that was made late, and stands before the one that the first client had, is given to whoever asks next.
func TestOrderOfFreeConnectionsDoesNotHideThatTheyAreShared(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{"last first": nil, "in turn": {"server_round_robin = 1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			db, err := sql.Open("pgx", pgtest.Bouncer(t, pgtest.DSN(t), "transaction", settings...))
			check(t, err)
			t.Cleanup(func() { _ = db.Close() })
			mine, err := db.Conn(ctx)
			check(t, err)
			defer func() { _ = mine.Close() }()
			late := begin(ctx, t, db)
			first, err := servedBy(ctx, mine)
			check(t, err)
			check(t, late.Rollback())
			if name == "in turn" { // the late one is to be next
				again, err := servedBy(ctx, mine)
				check(t, err)
				if again != first {
					t.Fatal("the connections are not given in turn")
				}
			}
			if mode, err := contend(ctx, db, mine, first); mode != Transaction || err != nil {
				t.Errorf("found %v, %v; want %v", mode, err, Transaction)
			}
		})
	}
}

func begin(ctx context.Context, t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(ctx, nil)
	check(t, err)
	_, err = servedBy(ctx, tx)
	check(t, err)
	return tx
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
