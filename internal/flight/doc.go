// Package flight lets one load serve many callers, and says for whom its result is good.
//
// A caller notes the fence's clock and asks for a key; the [Group] answers with a [Step]: lead a load, share one, wait for one
// and check, wait and ask again, load alone, or give up on a cycle. Who may share what follows from when the flight began:
//
//   - A caller with a lease shares a flight that began at or after the clock it noted, whatever comes of it. One that began
//     before is good for it only if the value's labels are valid in a check the caller itself makes after the flight has ended,
//     and its error never: what failed then might succeed now.
//   - A caller without a lease cannot trust its clock. It shares only a flight begun after it asked: a caller that arrives during
//     one waits for its end and shares the next.
//   - A caller that bypasses (its token was not reached, or it asked to) shares only flights begun after it asked by one that
//     bypasses for at least as much. Such flights run beside the ordinary ones.
//   - Reads below one outermost read may check flights begun after that read asked, also without a lease and in a bypass. So a
//     flight below an outermost read counts, for everybody else, as begun when that read asked: it may be made of what others below
//     have loaded since.
//
// A caller does not wait for a flight that can't serve it: it leads one more, at once where its key, its function or all has been
// invalidated since the flight began, and where only the flight's end can tell, when the caller's patience is over. There is one more
// at most: what is beyond waits.
//
// A wait that would close a cycle among loads is not made; the caller loads alone. A load that asks for its own key is a cycle.
//
// The package is a pure state machine behind a mutex: it starts no goroutine and reads no clock but the fence's. Waiting is the
// caller's, on the flight's channel. Bound: two ordinary and two bypassing flights a key, and one lone load a caller.
package flight
