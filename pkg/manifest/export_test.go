package manifest

import (
	"context"
	"log/slog"
)

// BeforeCommit makes f run before each COMMIT.
func (s *Store) BeforeCommit(f func()) { s.beforeCommit = f }

// Waiting is how many committed announcements wait to be published.
func (s *Store) Waiting(ctx context.Context) (int, error) {
	status, err := s.relay.Status(ctx)
	return status.Depth, err
}

// Log is where the store logs.
func (s *Store) Log() *slog.Logger { return s.log }
