package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEndRefusesNothing: a request that is being answered when the end comes is answered, and until the listener closes so is
// every other, while /readyz says no.
func TestEndRefusesNothing(t *testing.T) {
	t.Parallel()
	for _, drain := range []time.Duration{time.Second, 5 * time.Second, 20 * time.Second, time.Minute} { // longer on a busy machine
		if saidSoInTime(t, drain) {
			return
		}
	}
	t.Error("a service that ends never says so while it answers")
}

func saidSoInTime(t *testing.T, drain time.Duration) bool {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	began, let := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /quick", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-let
		_, _ = io.WriteString(w, "done")
	})
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, mux, func(context.Context) error { return nil }, drain) }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 2 * time.Minute}
	get := func(path string) (status int, closes bool, err error) {
		res, err := client.Get("http://" + l.Addr().String() + path)
		if err != nil {
			return 0, false, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		return res.StatusCode, res.Close, errors.Join(err, res.Body.Close())
	}
	if status, _, err := get("/readyz"); status != http.StatusOK {
		t.Fatal(status, err)
	}
	var slow sync.WaitGroup
	slow.Go(func() {
		if status, _, err := get("/slow"); status != http.StatusOK {
			t.Errorf("a request under way: %d %v", status, err)
		}
	})
	<-began
	end()
	status := http.StatusOK
	for err == nil && status == http.StatusOK {
		status, _, err = get("/readyz")
	}
	quick, closes, late := get("/quick")
	close(let)
	slow.Wait()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err != nil || late != nil {
		return false
	}
	if status != http.StatusServiceUnavailable || quick != http.StatusOK || !closes {
		t.Errorf("while it drains: /readyz %d, a request %d, its connection is closed: %t", status, quick, closes)
	}
	return true
}
