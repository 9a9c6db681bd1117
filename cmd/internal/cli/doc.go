// Package cli is what both commands share of the command line: flags from the environment, NATS connection flags,
// exit codes and the version.
package cli
