// Package cursor makes an at-most-once feed complete, and says for how long its completeness is proven.
//
// A Follower is a pure state machine: what happened and the time go in, Actions come out. It has no goroutine, no clock and
// no connection, so the node and a simulator drive the same code. Its owner performs the Actions in order before it tells
// the next thing, and applies every message before it tells of it: what a Follower has been told counts as applied.
//
// It is made of three ideas:
//
//   - The Cursor moves over contiguous sequences only. What arrives beyond a hole is held; a hole that does not close by
//     itself within a short window is fetched. It remembers the timestamps of what it has seen, because a server that lost
//     its tail gives the same numbers to other messages.
//   - The Lease ends MaxStaleness after the latest moment the node was provably current as of.
//   - A Reset starts anew where continuity can't be proven: fence everything, ask for the stream's end, fence everything
//     again when the answer is there, and only then put the cursor there. (What was loaded between the first fence and the
//     answer may be older than an event the answer already counts.) One own tick, stored and reached, proves that the node
//     can publish and that the feed or the fetching works: it is the first lease.
//
// Bounds: 1,024 remembered timestamps, Config.Held messages held, Config.Backlog messages behind, 16 claims on a lease. At
// the first the oldest is forgotten, a message too many to hold is fetched later, a longer backlog is a Reset unless the node
// gains on it, a claim too many waits for the next one.
package cursor
