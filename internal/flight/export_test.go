package flight

// Held reports whether someone is inside g at this moment.
func (g *Group[K, R]) Held() bool {
	if g.mu.TryLock() {
		g.mu.Unlock()
		return false
	}
	return true
}

// Waits is the number of loads that l waits for.
func (l *Load) Waits() int { return len(l.waits) }
