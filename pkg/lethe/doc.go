// Package lethe memoizes functions into this process's memory and forgets on hearing an event.
//
// A [Node] is one copy's part of a fleet: the copies that forget together. [Memoize] wraps a function; [Func.Get] answers from
// memory or loads once, however many ask. [Func.Invalidate] forgets here and publishes one event on NATS JetStream; every node of
// the fleet applies it, usually within a millisecond or two.
//
//	node, err := lethe.Open(ctx, lethe.Config{URL: os.Getenv("NATS_URL"), Fleet: "shop"})
//	price := lethe.Memoize(node, "catalog.price", db.Price, lethe.WithTTL(10*time.Minute))
//	p, err := price.Get(ctx, "sku-42")            // loads once, then from memory
//	token, err := price.Invalidate(ctx, "sku-42") // forgotten here now, everywhere in ms
//
// # What is promised
//
// Exact: once a node has applied an invalidation, no read that begins after that on this node returns a value whose load began
// before it: not from the cache, not from a load that was in flight, not from a refresh or a batch, not through another memoized
// function. Applied means that [Node.Wait] returned for its token, or a receiver of the node was called with it.
//
// Complete: a node has applied every event of the stream up to its position, or it knows that it has not, and forgets everything.
//
// Bounded: what is served from memory is current as of at most Config.MaxStaleness ago, counted from the stream's store to the
// read's beginning. A node that can't prove that follows each function's [Policy].
//
// # Dependencies
//
// A loader that calls another memoized function with the context it was given depends on what it read, with no declaration; it
// goes stale with it. Tags ([WithTags], [AddTags]) name what else makes a value stale.
//
// # What it does not do
//
// Call Invalidate after the commit, not inside it: a load between the two keeps the old value. A loader that takes the user or
// tenant from its context caches one user's answer for all; one that drops the context records no dependencies; one that reads a
// lagging replica may keep what the replica had; one that asks another node asks such a replica (send it [Node.Position]).
// GetMany is not a snapshot. Reads on two nodes are not ordered without a token. An event that the servers lose together with
// every living node that saw it is bounded by the TTL only.
package lethe
