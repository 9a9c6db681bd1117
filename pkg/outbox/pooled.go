package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/internal/pooler"
)

// pollPooled is how often a relay looks that no notification reaches.
const pollPooled = 100 * time.Millisecond

var errPrepares = errors.New("a pooler in front of PostgreSQL shares connections by transaction, and db prepares statements by name, which others then " +
	"find or miss: add default_query_exec_mode=cache_describe to the database's address, or share connections by session")

// notHeard says whether a pooler stands between that keeps notifications from a relay.
func notHeard(ctx context.Context, db *sql.DB, d dialect) (bool, error) {
	if d != postgres {
		return false, nil
	}
	mode, err := pooler.Find(ctx, db)
	if err == nil && mode != pooler.Transaction {
		return false, nil
	}
	if err == nil {
		var safe bool
		if safe, err = pooler.Safe(ctx, db); err == nil && !safe {
			err = errPrepares
		}
	}
	if err != nil {
		return false, fmt.Errorf("outbox: %w", err)
	}
	return true, nil
}
