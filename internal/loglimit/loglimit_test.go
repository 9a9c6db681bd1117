package loglimit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/lethe-cache/lethe/internal/loglimit"
)

// logger writes to the buffer, with a budget before it.
func logger(to *bytes.Buffer) *slog.Logger {
	return loglimit.Logger(slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

func TestAFloodOfSourcesFillsNoLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := logger(&out)
		for i := range 20_000 {
			l.Warn("an event could not be taken as it is", "source", fmt.Sprint(i)+strings.Repeat("s", 4096))
		}
		if got := strings.Count(out.String(), "\n"); got != 30 || out.Len() > 30*500 {
			t.Errorf("%d lines, %d bytes", got, out.Len())
		}
		l.Error("something else") // is not drowned
		if !strings.Contains(out.String(), "something else") {
			t.Error("a flood of one message keeps another back")
		}
		<-time.After(2 * time.Second)
		out.Reset()
		l.Warn("an event could not be taken as it is")
		if !strings.Contains(out.String(), "suppressed=19970") {
			t.Errorf("the next line does not say how many were kept back: %s", out.String())
		}
	})
}

func TestAllLinesTogetherHaveABudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := logger(&out)
		flood := func() int {
			out.Reset()
			for i := range 1000 {
				for j := range 3 {
					l.With("a", i).WithGroup("g").Info("message "+fmt.Sprint(i%400), "j", j) //nolint:sloglint // many messages are what it is about
				}
			}
			return strings.Count(out.String(), "\n")
		}
		if got := flood(); got != 300 {
			t.Errorf("%d lines at once, want 300", got)
		}
		<-time.After(30 * time.Second)
		if got := flood(); got != 150 {
			t.Errorf("%d lines after half a minute, want 150", got)
		}
		l.Debug("a debug line")
		if !strings.Contains(out.String(), "a debug line") {
			t.Error("debug lines have no budget of their own")
		}
	})
}

func TestWhatWasKeptBackIsTold(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := loglimit.New(slog.NewTextHandler(&out, nil))
	for range 100 {
		slog.New(h).Warn("often")
	}
	out.Reset()
	h.Tell(context.Background())
	if line := out.String(); !strings.Contains(line, "event=log_suppressed") || !strings.Contains(line, "suppressed=70") || !strings.Contains(line, "most_of=often") {
		t.Errorf("told: %s", line)
	}
	out.Reset()
	h.Tell(context.Background())
	if out.Len() != 0 {
		t.Errorf("told again: %s", out.String())
	}
	if loglimit.New(h) != h {
		t.Error("a budget before a budget")
	}
}

// stringer and liar are values of a caller's own.
type stringer struct{ s string }

func (s stringer) String() string { return s.s }

type valuer struct{ s string }

func (v valuer) LogValue() slog.Value { return slog.StringValue(v.s) }

func TestEveryFieldIsClippedAndClean(t *testing.T) {
	t.Parallel()
	bad := "\x1b[31m\nlevel=ERROR msg=forged\u202e\u2028\x00" + strings.Repeat("é", 5000)
	var out bytes.Buffer
	h := slog.NewJSONHandler(&out, nil)
	l := loglimit.Logger(slog.New(h)).With("with", bad)
	many := make([]string, 1000)
	for i := range many {
		many[i] = bad
	}
	l.Warn(bad, "string", bad, "error", errors.New(bad), "stringer", stringer{bad}, "valuer", valuer{bad}, "list", many, //nolint:sloglint // as above
		slog.Group("group", "inner", bad), "any", map[string]string{bad: bad}, bad, 1)
	line := strings.TrimSuffix(out.String(), "\n")
	if len(line) > 20_000 {
		t.Errorf("a line of %d bytes", len(line))
	}
	if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' || r == '\u2028' }) ||
		strings.Contains(line, `\u001b`) || strings.Contains(line, `\u202e`) || strings.Contains(line, `\u2028`) || strings.Contains(line, `\n`) {
		t.Errorf("control characters are left: %q", line)
	}
	if !strings.Contains(line, fmt.Sprintf("… (%d bytes)", len(bad))) {
		t.Errorf("it does not say that something is missing: %s", line)
	}
	out.Reset()
	l.Warn("fine", "n", 7, "d", time.Second, "s", "plain", "e", errors.New("plain"), "stack", "a\n\tb")
	for _, want := range []string{`"n":7`, `"d":1000000000`, `"s":"plain"`, `"e":"plain"`, `"stack":"a\n b"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing: %s", want, out.String())
		}
	}
}

// again logs from within its handler: it would wait for itself if a lock were held.
type again struct {
	slog.Handler
	l *slog.Logger
}

func (a *again) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "first" {
		a.l.Warn("second")
	}
	return a.Handler.Handle(ctx, r)
}

func TestTheHandlerBehindIsCalledWithNoLockHeld(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &again{Handler: slog.NewTextHandler(&out, nil)}
	a.l = loglimit.Logger(slog.New(a))
	a.l.Warn("first")
	if strings.Count(out.String(), "\n") != 2 {
		t.Errorf("logged: %s", out.String())
	}
}
