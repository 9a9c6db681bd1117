package manifest

import "context"

// reading does what only reads, again where the connection it was given was dead: a server that was restarted leaves a pool full
// of those, and each is found out by one use. A server that can't be reached at all is an error at once.
func (s *Store) reading(ctx context.Context, read func() error) error {
	err := read()
	for tries := s.db.read.Stats().MaxOpenConnections; tries > 0 && err != nil && ctx.Err() == nil && s.db.dead(err); tries-- {
		err = read()
	}
	return s.why(ctx, err)
}
