// Package embedded runs a NATS server with JetStream inside this process. Only programs that import it link it: about 10 MB
// of code that a service with a server of its own does not need.
//
//	srv, err := embedded.Start(ctx, embedded.Config{StateDir: "/var/lib/shop", Listen: "127.0.0.1:4222"})
//	defer srv.Close()
//	nc, err := srv.Connect()
//	node, err := lethe.Open(ctx, lethe.Config{Conn: nc, Fleet: "shop"})
//
// The server is a plain one: a single node, without accounts, TLS or a cluster. With Listen other processes reach it, and
// so does the nats command line; bind it to loopback, since whoever reaches it may publish. Streams on it have one replica
// in files under StateDir. An acknowledged event is in the page cache, not yet synced to the disk (the server syncs every
// two minutes): it survives the end of the process, not a power failure.
//
// It does not install signal handlers, does not read the environment and keeps no state outside StateDir.
package embedded
