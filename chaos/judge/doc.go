// Package judge decides whether a history of reads, invalidations and waits keeps the promises of Lethe.
//
// It is told what happened, by moments of one monotonic clock: versions committed to the database, invalidations that the stream
// has stored, invalidations that a node has applied (Wait returned for them, a receiver was called with them, or the node made them
// itself), and reads. It judges while the run goes on and keeps only a window of it, so that an hour needs no more memory than a
// minute.
//
// The rules, each a Rule of a Violation:
//
//   - exact: a read brings no version older than what its node had applied before the read began.
//   - bound: a read brings no version that the stream had replaced more than the node's bound before the read began; where stale
//     serving is allowed, more than bound and limit together.
//   - fresh: a read that bypassed brings no version older than what was committed before it began.
//   - future: no read brings a version that was not committed when it ended.
//   - linear: within a window of one key on one node, porcupine finds an order of commits, applies and reads that explains them all.
//
// An invalidation counts as stored from the moment somebody is known to have seen it stored: the stamp of the leader that took it in
// may be older than the moment when a quorum had it. Reads that only the stamp calls too old are counted, not judged.
package judge
