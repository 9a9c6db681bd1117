package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestOnlyABodyThatIsLateIsAnsweredWith408(t *testing.T) {
	t.Parallel()
	timeout := fmt.Errorf("read tcp 127.0.0.1:4222: %w", os.ErrDeadlineExceeded)
	for _, tc := range []struct {
		err  error
		want int
	}{
		{&bodyError{timeout}, http.StatusRequestTimeout},
		{&bodyError{&http.MaxBytesError{Limit: 1}}, http.StatusRequestEntityTooLarge},
		{&bodyError{context.Canceled}, http.StatusBadRequest},
		{fmt.Errorf("%w: not connected to NATS: %w", lethe.ErrNotPublished, timeout), http.StatusServiceUnavailable},
		{fmt.Errorf("%w: %w", lethe.ErrNotReady, timeout), http.StatusServiceUnavailable},
		{fmt.Errorf("%w: %w", lethe.ErrNotPublished, lethe.ErrUnknown), http.StatusGatewayTimeout},
	} {
		if got := problemOf(tc.err); got.Status != tc.want {
			t.Errorf("%v: %d %s, want %d", tc.err, got.Status, got.Text, tc.want)
		}
	}
}
