package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// A world of brokers goes on for a while, or for as long as LETHE_WORLD says, by the seed that LETHE_WORLD_SEED names.
func TestAWorldOfBrokersKeepsEveryPromise(t *testing.T) {
	t.Setenv("TMPDIR", worldDir(t))
	length, seed := "40s", strconv.FormatInt(time.Now().Unix(), 10)
	if text := os.Getenv("LETHE_WORLD"); text != "" {
		length = text
	}
	if text := os.Getenv("LETHE_WORLD_SEED"); text != "" {
		seed = text
	}
	var out bytes.Buffer
	history := filepath.Join(t.TempDir(), "history.txt")
	err := drive(t.Context(), []string{"-world", length, "-seed", seed, "-history", history}, &out)
	if err != nil {
		text, _ := os.ReadFile(history)
		t.Errorf("seed %s: %v\n%s\n%s", seed, err, out.String(), text)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "lethe-*")); len(left) > 0 && err == nil {
		t.Errorf("the run left %v", left)
	}
}

// worldDir is a folder below which PostgreSQL, which runs as another user, finds its own.
func worldDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/tmp", "world-") //nolint:usetesting // the folder of a test is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}
