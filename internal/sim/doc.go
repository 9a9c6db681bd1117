// Package sim simulates a whole fleet in virtual time and holds it against the promises of the design.
//
// A seed is a world: a database, the servers with their stream, a network, and machines with nodes on them. What a node decides
// is decided by the code that ships: the Follower and its lease (internal/cursor), the fence and its gate (internal/fence), the
// flights (internal/flight), the records (internal/depend) and group commit (internal/commit). What stands around them in
// internal/bus and pkg/lethe, the order of things, is taken over step by step, and each step is an event of its own, so that
// anything may come between two of them: a read is up to nine steps, an invalidation four. A reader may also be stopped in the
// middle of a check, right before it reads the time, while the world goes on.
//
//	r := sim.New().Run(42, sim.Options{})
//	if r.Violation != nil { … }
//
// # What goes wrong
//
// Live messages are lost, repeated, delayed and overtaken; requests and answers are lost; connections break and are noticed late;
// a leader is cut off with some of the machines and goes on answering INFO and Direct Get; leaders change, and die between storing
// and republishing; the server crashes and gives the numbers of its lost tail anew, its clock ahead or behind; a lagging replica
// answers Direct Get; the head is truncated, all is purged, a message is deleted, the stream is deleted and made anew, by a node
// or by an admin who begins at any number; processes are stopped, crash and start; machines are suspended; wall clocks step;
// queues overflow; loaders are slow, fail and overrun their time; callers give up; ids of ticks are taken, and somebody says
// "lost" or plays the server. A seed draws which of these happen in its world and how often: some seas are calm.
//
// # What is checked
//
//   - 1 exact. Of everything in a value it is known when its load began. A read returns nothing whose load began before an
//     invalidation of it that was applied on that node before the read began; soft ones may be returned marked stale.
//   - 2 complete. What the cursor passes was applied on that node, or fenced since it was stored. A node whose cursor stood beyond
//     what the servers have lost begins anew; where it knew why, no other node keeps anything from before.
//   - 3 bounded. A read knows all that was stored more than MaxStaleness before it began. No lease is granted that reaches
//     further than MaxStaleness beyond the store of something the node has not got.
//   - 5 tellable. When Wait returns, the event was applied, and later reads on that node know what its caller had changed; a
//     read with a token knows it as well.
//   - Nothing is served past its end of life; no loop is told that something is due which can't be done; and some time after the
//     trouble has ended every node holds a lease at the stream's end, nothing cached is older than what was announced, and no load
//     and no Invalidate is left over.
//
// # What is excepted
//
// What the design does not promise: events that the servers have lost (nobody has to know them); reads on a machine that was
// suspended, until the watchdog's next beat; a token found reached over a
// connection that is dead already (decision 8). A leader that was cut off is believed as far as the newest live message, so the
// bound is longer by as much as that message was late. An admin who makes the stream anew from numbers it had before lets a node
// that keeps its connection hold a lease until its next probe: there only reads are checked, not the lease. Machines are never
// suspended for less than the tick, which would go unnoticed.
//
// # Replay
//
// A run draws its decisions (a plan: what is asked of whom when, and which trouble comes) from the seed first, and all that
// follows from them by chance from streams of numbers of their own. The same seed does the same again, bit for bit: Result.Digest
// sums up every step. Shrink leaves decisions out while the same promise breaks.
package sim
