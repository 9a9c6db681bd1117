package manifest

import (
	"context"
	"time"
)

// Bounds of the removal of old lines.
const (
	pruneStep  = 500             // lines of one statement
	pruneFor   = 5 * time.Second // one statement
	pruneOften = time.Minute     // no more often than this,
	pruneLeast = time.Hour       // and no more rarely
)

// pruneJournal removes what is older than it is kept, at the start and from time to time, until ctx ends. Several processes may do so
// at once: the one that keeps lines for the shortest time decides.
func (s *Store) pruneJournal(ctx context.Context) {
	defer close(s.journal.done)
	every := min(max(s.journal.keep/100, pruneOften), pruneLeast)
	for ctx.Err() == nil {
		for more := true; more && ctx.Err() == nil; {
			n, err := s.pruneOnce(ctx, time.Now())
			if err != nil && ctx.Err() == nil {
				s.log.Warn("manifest: old lines of the journal could not be removed", "error", err)
			}
			more = err == nil && n == pruneStep
		}
		pause(ctx, every)
	}
}

// pruneOnce removes some old lines, the oldest first, and says how many.
func (s *Store) pruneOnce(ctx context.Context, now time.Time) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, pruneFor)
	defer cancel()
	select { // changes take turns, and this one has to wait for its own
	case s.db.turns <- struct{}{}:
		defer func() { <-s.db.turns }()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	r, err := s.db.write.ExecContext(ctx, "DELETE FROM lethe_manifest_journal WHERE number IN "+
		"(SELECT number FROM lethe_manifest_journal WHERE at < $1 ORDER BY at LIMIT $2)", now.Add(-s.journal.keep).UnixMilli(), pruneStep)
	if err != nil {
		return 0, broken(err)
	}
	n, err := r.RowsAffected()
	return n, broken(err)
}
