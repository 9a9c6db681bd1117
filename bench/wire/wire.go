// Package wire asks what happens between processes: how soon and how many, at what cost to a node and to the server. The NATS
// server, the publisher and those who listen are processes of their own, and each listener has its own connection, as a node
// of a fleet has. The clock of the one machine connects their stamps.
package wire

import (
	"context"

	"github.com/lethe-cache/lethe/bench/internal/suite"
)

const (
	fleet    = "bench"
	function = "bench.f"
)

// Questions of this package.
func Questions() []suite.Question {
	return []suite.Question{publishApplied(), keysStale(), apply(), gap(), serverMemory(), startUp(), messages()}
}

// Children are what this package runs as processes of their own, by name.
func Children() map[string]func(context.Context, []string) error {
	return map[string]func(context.Context, []string) error{"wire-serve": serve, "wire-hold": hold, "wire-apply": applying}
}
