// Command chaos runs a fleet of Lethe on a cluster of NATS servers, harms both, and judges every read.
//
//	go build -o ../bin/chaos . && ../bin/chaos -for 60s [-seed 1] [-faults list] [-nodes 5] [-report file.json]
//
// One binary plays three roles. The driver has the truth, a small database of versions; it starts three NATS servers with JetStream
// (one stream of three replicas, stores in files) and the nodes, each a process of its own; it writes, invalidates, asks nodes to
// wait, and does harm by a schedule that its seed decides: toxics on every link of clients and routes, in either direction; kills,
// stops and restarts of servers and nodes; a server's store taken away; a full disk; and the stream's leader made to step down every
// few seconds. Nodes read all the time and report each read by the one monotonic clock of the machine; package judge decides.
//
// With -databases there are brokers as well: several processes share a SQLite file, several a PostgreSQL, all write and read
// manifests there, and one relay of each database announces. With -outages all servers are killed or stopped at once, for seconds
// or minutes, again and again; some brokers are stopped or killed meanwhile. When the bus is back no other fault of servers begins
// until it is clear that no row waits for longer than ten seconds, and at the end everything committed has to be in the log.
//
// When the faults are over the fleet has to heal: every node reaches the last token and brings the truth from its cache, and the
// stream's log has every acknowledged invalidation. Any violation is written to a file with the history around it, and the exit code
// is 1. A slow machine is not a violation: what is judged is data, by moments.
//
// It needs Linux. The full disk is a tmpfs, left out where mounting is not allowed. Network namespaces are not used: the proxies cut
// every link in either direction, and what they cannot do (packets reordered or lost within a connection) TCP hides from both ends.
package main
