package lethe

// Audited is how many keys of a function are sampled.
func Audited(n *Node, function string) int {
	s := &n.functions.find(function).auditor.sample
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys)
}
