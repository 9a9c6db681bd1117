// Package handover takes user code (a log handler, a tracer) off goroutines that hold a lock or a turn, or that others wait for.
//
// What is handed over runs on a goroutine of its own, in order, one at a time. A handler that blocks holds up nothing but what waits
// for it: the queue is bounded, what does not fit is dropped and counted, and closing waits for a bounded time.
package handover
