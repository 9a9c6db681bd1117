// Package lethetest gives unit tests a fleet in one process, on a real in-memory server.
//
//	nodes := lethetest.Fleet(t, 2)
//	a, b := catalog.New(nodes[0], db), catalog.New(nodes[1], db)
//	…
//	tok, err := a.Product.Invalidate(ctx, "sku-42")
//	lethetest.WaitAll(t, tok, nodes...)
//
// Nothing is mocked: events travel through an embedded NATS server and are applied as in production. It does not simulate faults.
// A test that changes a value which a function returned, and which others share, fails.
package lethetest
