//go:build race

package flight_test

// A world is one goroutine at a time: the race detector makes it ten times slower and has nothing to find in it.
const share = 8
