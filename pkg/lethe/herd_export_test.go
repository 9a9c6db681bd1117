package lethe

// EndSurge makes n's last Reset long past, as far as the bound on loads goes.
func EndSurge(n *Node) { n.surge.calm.Store(0) }
