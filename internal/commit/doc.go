// Package commit gathers what is to be published into as few events as it can: group commit.
//
// Items of one lane are published one batch after the other. While a batch is under way, what is joined meanwhile gathers in
// the next; an idle lane sends at once, so there is no added latency where there is no load, and batches grow with it. An item
// never joins a batch that was handed out: an equal item in that one may have been applied before this one's change was
// committed.
//
// A Queue is a pure state machine without goroutine, clock or lock: its owner serialises the calls, performs what Next hands
// out, and says when it has ended. The node and the simulator drive the same code.
//
// Batches are paced by the generic cell rate algorithm (ITU-T I.371, the leaky bucket as a meter): Config.Burst at once, then
// Config.Rate a second. One that would have to wait longer than Config.MaxWait is a storm: it is refused, or what it asks for
// is widened to one item that covers the lane, of which one waits at most.
//
// Bounds: MaxBatch bytes a batch, MaxQueued bytes waiting, MaxLanes batches under way, and by the pace Burst + Rate*MaxWait
// batches waiting besides one widened a lane.
package commit
