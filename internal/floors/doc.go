// Package floors holds the test that keeps imports pointing down.
//
// Every package of this module stands on a floor. It may import packages of lower floors only, and never a sibling:
//
//	4   examples/...                             what users would write
//	3   cmd/...                                  flags, wiring, HTTP, exit codes
//	2   pkg/lethe  pkg/manifest                  the products (lethetest stands on top of lethe)
//	1   pkg/outbox  pkg/embedded  internal/bus   how events travel
//	0   pkg/event  schemas  internal/depend …    what is said, what was read
//
// A package that stands on no floor fails the test, so a new one has to be given a place.
package floors
