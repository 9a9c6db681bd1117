package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestADatabaseThatDoesNotAnswerAtTheStartIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	proxy, dsn := cmdtest.Through(t, pgtest.DSN(t))
	var log cmdtest.Log
	logger := slog.New(slog.NewTextHandler(&log, nil))
	open := func(ctx context.Context) (*manifest.Store, error) { return manifest.Open(ctx, dsn, s.api.node) }

	store, err := opening(t.Context(), dsn, cmdtest.Patience, cmdtest.Patience, logger, open)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil || log.String() != "" {
		t.Errorf("one that answers: %v, %s", err, log.String())
	}

	proxy.Freeze()
	ended := make(chan error, 1)
	go func() {
		_, err := opening(t.Context(), dsn, 10*time.Millisecond, 300*time.Millisecond, logger, open)
		ended <- err
	}()
	select {
	case err = <-ended:
	case <-time.After(cmdtest.Patience):
		proxy.Thaw()
		<-ended //nolint:errcheck // it has ended
		t.Fatal("it is still waited for")
	}
	if cli.Code(err) != cli.CodeFailed || !strings.Contains(err.Error(), "did not answer within 300ms") {
		t.Errorf("frozen: %v", err)
	}
	if !strings.Contains(log.String(), "waiting for the database") {
		t.Errorf("nothing was logged: %s", log.String())
	}

	refused := errors.New("refused")
	_, err = opening(t.Context(), dsn, cmdtest.Patience, cmdtest.Patience, logger, func(context.Context) (*manifest.Store, error) { return nil, refused })
	if !errors.Is(err, refused) || err.Error() != "refused" {
		t.Errorf("refused: %v", err)
	}
}
