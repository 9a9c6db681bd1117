// Package accesstest starts real servers with users, each with another way to prove who one is, so that tests can log in by
// every way that the flags of the commands and the options of nats.go know.
package accesstest
