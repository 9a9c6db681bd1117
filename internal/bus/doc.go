// Package bus carries events between the nodes of a fleet: it is the NATS side of Lethe.
//
// A fleet has one JetStream stream. Publishing appends to it; the server republishes each stored message to a plain subject,
// where a node hears it by one subscription, without a consumer. That feed is at-most-once; a cursor (package cursor) makes
// it complete, by batched Direct Get, and a lease says for how long that is proven. Where a stream may not republish, a push
// consumer of the node's own takes the place of the subscription, behind the same cursor.
//
//	b, err := bus.Open(ctx, bus.Config{Conn: nc, Fleet: "shop", Source: "/lethe/shop/n1", Now: now, Logger: log, Handler: node})
//	err = b.Ready(ctx)
//	token, err := b.Invalidate(ctx, []event.Target{event.Tag("user:42")}) // the node has fenced it before
//	err = other.Wait(ctx, token)
//
// Whoever has the turn owns the cursor.Follower and calls the Handler: the goroutine that brings an arrival, if nobody else has
// it, else the loop. An event is applied when it arrives and accounted for afterwards, so whatever Wait, Reached, Position and
// the lease say was applied before they said it. What takes time (asking, fetching, ticking, publishing) runs beside the loop
// and reports to it. When an arrival came is not taken from when its turn came (moments).
//
// Bounds, and what happens at them:
//
//   - arrivals waiting while somebody else has the turn: 8,192 and 32 MiB; at the bound the queue is dropped, which is a hole, and
//     fetched; behind a callback that is at work the client itself holds 524,288 and 64 MiB, and what it drops is a hole as well
//   - one fetch: 512 messages, 8 MiB; the next one goes on behind it
//   - messages held beyond a hole, the backlog, remembered timestamps: see package cursor
//   - goroutines: the loop; one each to ping, ask, fetch and tick; 64 subjects published to at a time, the others wait; 16 a
//     call of Publish; one for each repeated publish that needs a tick
//   - a feed by consumer: one goroutine that watches it, 16 flow-control answers waiting, 1 s to remove it at Close
//   - targets waiting to be sent: 16 MiB, beyond it Invalidate fails; of one event 40 KiB, or what the server's max_payload leaves,
//     beyond it there are several; one target over max_payload is TooLarge
//   - fleets named by a publisher without a stream: 16, asked for once in 10 s
//   - events a second of Invalidate: Config.MaxEvents; beyond it they are put off for up to 1 s, then refused or widened
//   - one publish: 5 s with all its attempts, 2 s an attempt, 1 s without a connection; then it has failed. Where the stream's epoch
//     has to be read for its token: 3 s more. A question ends with the connection it was asked on
//   - echoes: 4,096 own events remembered; the oldest out, and then applied like anyone's
//   - log lines waiting for their handler, which is called on a goroutine of its own: 1,024, beyond it they are dropped; 1 s at Close
//   - log lines about bad events: one a source and minute, 256 sources
//
// What it does not do: it keeps nothing on disk, decodes no values, and does not order events.
package bus
