package manifest_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestTheLogOfAStoreHasABudget(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	e := engines()[0]
	s := must(manifest.Open(t.Context(), e.dsn(t), lethetest.Fleet(t, 1)[0], manifest.WithLogger(slog.New(slog.NewTextHandler(&out, nil)))))
	log := s.Log()
	if err := s.Close(); err != nil { // nobody else writes
		t.Fatal(err)
	}
	out.Reset()
	for range 1000 {
		log.Warn("a kind", "error", strings.Repeat("x\n", 4096))
	}
	if lines := strings.Count(out.String(), "\n"); lines == 0 || lines > 31 || out.Len() > 31*1024 {
		t.Errorf("%d lines, %d bytes", lines, out.Len())
	}
}
