package embedded

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestTheServersWordsHaveOneBudget(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := newLogger(slog.New(slog.NewTextHandler(&out, nil)))
	for i := range 1000 {
		l.Errorf("%d - %s: %v", i, strings.Repeat("x", 4096), errors.New("a client's words\nlevel=ERROR msg=forged"))
	}
	l.to.Warn("something else")
	l.end()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 31 || !strings.Contains(lines[30], "something else") {
		t.Fatalf("%d lines, the last one %s", len(lines), lines[len(lines)-1])
	}
	if first := lines[0]; len(first) > 1024 || !strings.Contains(first, "component=nats-server") || !strings.Contains(first, "text=\"0 - xxx") {
		t.Errorf("%d bytes: %s", len(first), first)
	}
}
