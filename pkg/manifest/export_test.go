package manifest

// BeforeCommit makes f run before each COMMIT.
func (s *Store) BeforeCommit(f func()) { s.beforeCommit = f }
