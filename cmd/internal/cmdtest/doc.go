// Package cmdtest is what the tests of both commands share: how they run, and a connection that can be frozen.
package cmdtest
