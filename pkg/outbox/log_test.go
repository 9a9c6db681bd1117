package outbox_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/outbox"
)

func TestTheLogOfARelayHasABudget(t *testing.T) {
	t.Parallel()
	e := engines()[0]
	_, db := e.fresh(t)
	var out bytes.Buffer
	r, err := outbox.StartRelay(t.Context(), db, settle(t, connect(t, serve(t))), outbox.RelayConfig{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil { // nobody else writes
		t.Fatal(err)
	}
	out.Reset()
	for range 1000 {
		r.Log().Error("a row", "error", strings.Repeat("x\n", 4096))
	}
	if lines := strings.Count(out.String(), "\n"); lines == 0 || lines > 31 || out.Len() > 31*1024 {
		t.Errorf("%d lines, %d bytes", lines, out.Len())
	}
}
