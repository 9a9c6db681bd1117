package handover_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/lethe-cache/lethe/internal/handover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatIsHandedOverRunsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := handover.New(1000)
		var got, want []int
		for i := range 1000 {
			want = append(want, i)
			if !q.Do(func() { got = append(got, i) }) {
				t.Fatal("dropped")
			}
		}
		if !q.Close(time.Second) || !slices.Equal(got, want) {
			t.Errorf("%d were run", len(got))
		}
		if q.Do(func() { t.Error("run after Close") }) || q.Dropped() != 1 {
			t.Error("taken after Close")
		}
	})
}

func TestABlockedQueueDropsAndCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, stop := handover.New(2), make(chan struct{})
		q.Do(func() { <-stop })
		synctest.Wait() // it has begun
		for i := range 5 {
			if ok := q.Do(func() { t.Error("run after Close") }); ok != (i < 2) {
				t.Errorf("the %d. waits: %v", i, ok)
			}
		}
		if n := q.Dropped(); n != 3 {
			t.Errorf("%d were dropped", n)
		}
		if begun := time.Now(); q.Close(time.Second) || time.Since(begun) != time.Second {
			t.Error("Close did not wait for a second")
		}
		close(stop)
		synctest.Wait()
	})
}

func TestCodeThatEndsItsGoroutineHoldsUpNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, ran := handover.New(10), false
		q.Do(runtime.Goexit)
		q.Do(func() { ran = true })
		if !q.Close(time.Second) || !ran {
			t.Error("what came behind was not run")
		}
	})
}

// slow is a handler that blocks.
type slow struct {
	slog.Handler
	stop chan struct{}
}

func (s slow) Handle(ctx context.Context, r slog.Record) error {
	<-s.stop
	return s.Handler.Handle(ctx, r)
}

func TestLoggingNeverWaitsForItsHandler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		h := slow{slog.NewTextHandler(&out, nil), make(chan struct{})}
		log, end := handover.Logger(slog.New(h))
		if again, _ := handover.Logger(log); again != log {
			t.Error("it is handed over twice")
		}
		log.Info("line")
		synctest.Wait() // its handler blocks
		for i := range 1999 {
			log.Info("line", "i", i)
		}
		close(h.stop)
		synctest.Wait()
		log.With("a", 1).WithGroup("g").Warn("last", "b", 2)
		log.Debug("not enabled")
		end()
		log.Error("after the end")
		text := out.String()
		if !strings.Contains(text, "msg=last a=1 g.b=2") || strings.Contains(text, "enabled") || strings.Contains(text, "after") {
			t.Errorf("it ends with %s", text[max(0, len(text)-200):])
		}
		written := strings.Count(text, "msg=line")
		if dropped := fmt.Sprintf("lines=%d", 2000-written); written != 1025 || !strings.Contains(text, dropped) {
			t.Errorf("%d lines were written, and it does not say %s", written, dropped)
		}
	})
}
