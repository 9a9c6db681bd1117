// Command publisher (builds and docs call it lethe-publisher) says on the bus what has changed, and shows what is said.
// It needs nothing but a NATS connection.
//
//	lethe-publisher --fleet shop invalidate catalog.price sku-42
//	lethe-publisher --fleet shop invalidate tag/user:42 prefix/chatbot:acme/
//	lethe-publisher --fleet shop invalidate catalog.price --wait
//	lethe-publisher --fleet shop nodes
//	lethe-publisher --fleet shop watch --since 2h
//
// Data goes to standard output, words to standard error. Exit codes: 0 done, 1 error, 2 wrong command line (nothing was
// done), 3 published but not applied by all nodes in time, 4 no answer in time (it may have happened), 5 no connection or no permission.
package main
