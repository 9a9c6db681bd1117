package main

import (
	"log/slog"
	"net/http"
	"time"
)

// maxBody is how long the body of a request may be; a longer one is answered with 413.
const maxBody = 1 << 20

// shutdownPeriod is how long requests under way may take when the node ends.
const shutdownPeriod = 5 * time.Second

// limits of the HTTP server. A client that is slower than these is cut off. Clients of /v1/events have limits of their own,
// for each write and in number.
type limits struct {
	conns  int           // connections at a time
	header int           // bytes of a request's line and headers, or it is answered with 431
	head   time.Duration // until the headers are there
	read   time.Duration // until the body is there as well
	answer time.Duration // from then until the answer is taken
	idle   time.Duration // between two requests of a connection
}

func defaultLimits() limits {
	return limits{
		conns: 512, header: 32 << 10, head: 5 * time.Second, read: 30 * time.Second, answer: maxWait + 10*time.Second, idle: 2 * time.Minute,
	}
}

func (a *api) server(h http.Handler) *http.Server {
	s := &http.Server{
		Handler:           http.MaxBytesHandler(h, maxBody),
		ReadHeaderTimeout: a.limits.head,
		ReadTimeout:       a.limits.read,
		WriteTimeout:      a.limits.answer,
		IdleTimeout:       a.limits.idle,
		MaxHeaderBytes:    a.limits.header,
		ErrorLog:          slog.NewLogLogger(a.logger.Handler(), slog.LevelWarn),
	}
	s.RegisterOnShutdown(a.events.close)
	return s
}
