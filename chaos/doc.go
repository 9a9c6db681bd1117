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
// With -world there is another run, of brokers. Three processes share a SQLite file, three a PostgreSQL with a synchronous standby; callers apply
// several documents at once, with guards and without, delete and list, and change what the kind refers to. Meanwhile relays, processes and the bus are stopped
// and killed, connections of PostgreSQL are terminated, the server is killed and restarted, or its standby promoted. It goes on in rounds. Each ends at rest: triggers of
// the run's own have written down what was stored, the stream tells what was announced, and package whole compares both with what callers asked for and were told; every
// memoized view of every process is compared with its function. The seed decides what is asked and harmed; when each thing happens is up to the machine. The
// mutants that a world has to catch are in testdata/mutants.json.
//
// It needs Linux. The full disk is a tmpfs, left out where mounting is not allowed. Network namespaces are not used: the proxies cut
// every link in either direction, and what they cannot do (packets reordered or lost within a connection) TCP hides from both ends.
package main
