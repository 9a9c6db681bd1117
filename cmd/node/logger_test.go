package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
)

func TestAFloodOfBadRequestsDoesNotFillTheLog(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		var log cmdtest.Log
		s := startSite(t)
		s.api.logger = newLogger(config{logFormat: format}, &log)
		handler := s.api.handler(&guard{loopback: true, origins: http.NewCrossOriginProtection()})
		l, err := listen(t.Context(), "--http", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := s.api.server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/panic") {
				panic("no way to answer " + r.URL.Path)
			}
			handler.ServeHTTP(w, r)
		}))
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()

		client := &http.Client{Timeout: cmdtest.Patience}
		long := "%0Alevel=ERROR%20msg=forged" + strings.Repeat("p", 4<<10)
		begin := time.Now()
		for i := range 400 {
			for _, path := range []string{"/panic", "/v1/functions/x", "/none"} {
				res, err := client.Get(fmt.Sprintf("http://%s%s%d%s", l.Addr(), path, i, long))
				if err == nil {
					_ = res.Body.Close()
				}
			}
		}
		minutes := int(time.Since(begin).Minutes())
		s.api.logger.Warn("something else")
		client.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served //nolint:errcheck // it has ended

		said := strings.TrimSuffix(log.String(), "\n")
		lines := strings.Split(said, "\n")
		if len(lines) < 2 || len(lines) > 300*(1+minutes) {
			t.Errorf("%s: %d lines", format, len(lines))
		}
		for _, line := range lines {
			if len(line) > 8<<10 || !strings.HasPrefix(line, "time=") && !strings.HasPrefix(line, "{") {
				t.Fatalf("%s: a line of %d bytes: %.300s", format, len(line), line)
			}
		}
		if !strings.Contains(said, "something else") || !strings.Contains(said, "handler panicked") {
			t.Errorf("%s: of what is worth a line, one is not there: %.2000s", format, said)
		}
	}
}

func TestWhatTheHTTPServerReportsIsOneMessage(t *testing.T) {
	t.Parallel()
	var log cmdtest.Log
	logger := newLogger(config{}, &log)
	to := errorLog(logger)
	for i := range 1000 {
		to.Printf("http: TLS handshake error from 127.0.0.1:%d: EOF", i)
	}
	logger.Warn("something else")
	if said := log.String(); !strings.Contains(said, "something else") || !strings.Contains(said, `error="http: TLS handshake error from 127.0.0.1:0: EOF"`) {
		t.Errorf("%.1000s", said)
	}
	if lines := strings.Count(log.String(), "\n"); lines > 50 {
		t.Errorf("%d lines", lines)
	}
}
