package cmdtest

import (
	"regexp"
	"strings"
	"sync"
)

// Log is a writer that can be read while it is written to; the zero value is empty.
type Log struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

// Write appends p.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is what was written so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Find is the first group of the first match of pattern, empty when there is none.
func (l *Log) Find(pattern *regexp.Regexp) string {
	if m := pattern.FindStringSubmatch(l.String()); m != nil {
		return m[1]
	}
	return ""
}
