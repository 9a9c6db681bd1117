package lethe

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"unicode/utf8"
)

// PanicError is a panic of code that the node calls: a loader, WithTags, a codec, a key's MarshalText, a receiver; errors.As. The node
// logs it with its stack, once a minute for each function or receiver. An error that was the value of a panic is not in the chain of
// this one: WithNegative does not remember it.
type PanicError struct {
	Value any    // what the code panicked with
	Stack []byte // of the goroutine, where it panicked
}

// maxPanicText bounds the text of a PanicError, in bytes.
const maxPanicText = 256

// Error is one short line with the value, and without the stack: it may reach a client.
func (e *PanicError) Error() string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, fmt.Sprint(e.Value))
	if len(text) > maxPanicText {
		cut := maxPanicText
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return "lethe: panic: " + text
}

// guard runs code of the user's; a panic becomes a PanicError, and is logged. what is the code, "" where the caller
// logs the error; name is the function or receiver it is of.
func (n *Node) guard(what, name string, fn func() error) (err error) {
	defer n.caught(what, name, &err)
	return fn()
}

// guard is the node's, for code of the function.
func (c *core[K, V]) guard(what string, fn func() error) error { return c.n.guard(what, c.name, fn) }

// caught makes a panic an error and logs it; it is deferred.
func (n *Node) caught(what, name string, err *error) { //nolint:gocritic // it changes the result of who defers it
	p := recover()
	if p == nil {
		return
	}
	*err = n.panicked(what, name, p, debug.Stack())
}

// panicked is the error of a panic, which it logs.
func (n *Node) panicked(what, name string, value any, stack []byte) *PanicError {
	e := &PanicError{Value: value, Stack: stack}
	if what != "" && n.metrics.logged.allow("panic:"+what+":"+name, n.now()) {
		n.log.Error("lethe: code that the node calls has panicked", "event", "load_panic", "in", what, "function", name, "error", e, "stack", string(e.Stack))
	}
	return e
}

// keyPanic makes a PanicError of the error of a key whose own code has panicked, which package event has recovered from.
func (n *Node) keyPanic(name string, err error) error {
	var p interface {
		error
		Panicked() (value any, stack []byte)
	}
	if !errors.As(err, &p) {
		return err
	}
	value, stack := p.Panicked()
	return n.panicked("key", name, value, stack)
}
