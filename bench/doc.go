// Command bench measures how long an invalidation takes from its publisher to every node of a fleet, beside a plain core NATS
// publish and subscribe of a message of the same size, between processes and in one interleaved run.
//
//	go run . [-nodes 1,10,100] [-rounds 5] [-events 200]
//
// Four sorts of processes run on this machine: this one, which publishes; a NATS server; and for each fleet size one to four that
// hold the nodes. A sample is the time from the call that publishes to the moment the last node has it (its receiver was called,
// or its subscription's callback), by the machine's one wall clock. Rounds of the two kinds alternate; the table has the medians
// of the rounds' p50 and p99.
package main
