// Package pgtest gives tests a PostgreSQL database.
//
//	db, err := sql.Open("pgx", pgtest.DSN(t))
//
// The server is a real one, started once by the test process that first asks, on a port of 127.0.0.1 and with its data in a
// temporary folder. It runs without syncing to the disk, so it is quick, and nothing of it is worth keeping. It ends with the
// process that started it, even when that is killed: a shell that waits for the process stops the server and removes the folder.
//
// PostgreSQL has to be installed (its programs are looked for in PATH and where Debian, Red Hat and Homebrew put them), or the
// variable LETHE_TEST_POSTGRES names a server on which databases may be created. Without either the test fails; none is skipped.
//
// Cluster is servers of a test's own that may be stopped, copied, restored and promoted.
//
// Bouncer puts a PgBouncer in front of it, for the length of a test.
package pgtest
