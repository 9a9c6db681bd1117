//go:build !race

package lethe

// RaceEnabled says that the race detector slows the tests down.
const RaceEnabled = false
