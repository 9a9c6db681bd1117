package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// verdict is what became of a mutant.
type verdict string

const (
	killed   verdict = "killed"
	survived verdict = "SURVIVED"
	broken   verdict = "ERROR"
)

const (
	testTimeout   = 120 * time.Second
	moduleTimeout = 5 * time.Minute
)

// try runs the tests of m with m in place. Only a test that ran and failed is a kill.
func try(ctx context.Context, root string, m mutant) (verdict, error) {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return broken, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := m.write(root, dir)
	if err != nil {
		return broken, err
	}
	out, err := runTests(ctx, root, dir, m, "-overlay", overlay)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return broken, ctx.Err()
	case err == nil:
		return survived, nil
	case errors.As(err, &exit) && (strings.Contains(out, "--- FAIL:") || strings.Contains(out, "panic:")):
		return killed, nil
	}
	return broken, fmt.Errorf("%w\n%s", err, out)
}

// baseline requires that the tests of m exist and pass without it.
func baseline(ctx context.Context, root string, m mutant) error {
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out, err := runTests(ctx, root, dir, m)
	if err != nil {
		return fmt.Errorf("%s %s fails without any mutant: %w\n%s", m.Pkg, m.Run, err, out)
	}
	if strings.Contains(out, "no tests to run") || strings.Contains(out, "no test files") {
		return fmt.Errorf("%s has no test that matches %q", m.Pkg, m.Run)
	}
	return nil
}

// runTests compiles the tests of m's package into dir and runs them where `go test` would; the two apart, so that what
// does not compile is no failing test. Debug information and vet are left out: this is done some hundred times.
func runTests(ctx context.Context, root, dir string, m mutant, flags ...string) (string, error) {
	program := filepath.Join(dir, "mutant.test")
	compile := exec.CommandContext(ctx, "go", append(append([]string{"test", "-c", "-o", program, "-vet=off", "-ldflags=-s -w"}, flags...), m.Pkg)...)
	compile.Dir = filepath.Join(root, m.Module)
	if out, err := compile.CombinedOutput(); err != nil {
		return string(out), errors.New("does not compile")
	} else if strings.Contains(string(out), "no test files") {
		return string(out), nil
	}
	timeout := testTimeout
	if m.Module != "" { // of whole processes
		timeout = moduleTimeout
	}
	run := exec.CommandContext(ctx, program, "-test.run", m.Run, "-test.timeout", timeout.String(), "-test.failfast")
	run.Dir = filepath.Join(root, m.Module, m.Pkg)
	out, err := run.CombinedOutput()
	return string(out), err
}
