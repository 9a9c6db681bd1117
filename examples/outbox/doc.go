// Command outbox is a writer that caches nothing: it changes rows and announces each change with its commit.
//
//	NATS_URL=nats://127.0.0.1:4222 DATABASE_URL=postgres://… go run ./examples/outbox
//
// Without DATABASE_URL it writes to SQLite, in a temporary folder; without NATS_URL to a server in its own process. It shows
// that what commits is in the stream, that what rolls back is not, and how long the way from the commit into the stream is.
package main
