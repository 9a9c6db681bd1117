package main

import (
	"maps"
	"strings"
	"sync"
)

// tally counts by name and keeps the last lines.
type tally struct {
	mu    sync.Mutex // guards what follows
	by    map[string]int64
	lines []string
}

// Bounds of a tally.
const (
	tallyNames = 64
	tallyLines = 400
)

func (t *tally) add(name, line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]int64{}
	}
	if _, known := t.by[name]; !known && len(t.by) >= tallyNames {
		name = "others"
	}
	t.by[name]++
	if line == "" {
		return
	}
	if len(t.lines) >= tallyLines {
		t.lines = t.lines[1:]
	}
	t.lines = append(t.lines, line)
}

func (t *tally) counts() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.by)
}

func (t *tally) total() (n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.by {
		n += m
	}
	return n
}

func (t *tally) recent() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.lines...)
}

// errorTally counts errors by their texts.
type errorTally struct{ tally }

func (t *errorTally) add(err error) {
	if err == nil {
		err = errNoToken
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	t.tally.add(text[:min(len(text), 160)], "")
}
