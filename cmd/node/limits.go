package main

import (
	"log/slog"
	"net/http"
	"time"
)

// maxBody is how long the body of a request may be; a longer one is answered with 413.
const maxBody = 1 << 20

// limits of the HTTP server. A client that is slower than these is cut off. Clients of /v1/events have limits of their own,
// for each write and in number.
type limits struct {
	conns  int           // connections at a time
	one    int           // connections of one remote address at a time
	header int           // bytes of a request's line and headers, or it is answered with 431
	head   time.Duration // until the headers are there
	read   time.Duration // until the body is there as well
	answer time.Duration // from then until the answer is taken
	idle   time.Duration // between two requests of a connection
}

func defaultLimits() limits {
	return limits{
		conns: 512, one: 384, header: 32 << 10, head: 5 * time.Second, read: 30 * time.Second, answer: maxWait + 10*time.Second,
		idle: 2 * time.Minute,
	}
}

// adminLimits are those of --admin: a few probes and scrapers, which ask short questions.
func adminLimits() limits {
	return limits{
		conns: 64, one: 48, header: 8 << 10, head: 2 * time.Second, read: 2 * time.Second, answer: 30 * time.Second, idle: time.Minute,
	}
}

func (a *api) server(h http.Handler) *http.Server {
	s := a.limits.server(h, a.logger)
	s.RegisterOnShutdown(a.events.close)
	return s
}

// server is an HTTP server within these limits; its connections are counted by a crowd.
func (l limits) server(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           http.MaxBytesHandler(h, maxBody),
		ReadHeaderTimeout: l.head,
		ReadTimeout:       l.read,
		WriteTimeout:      l.answer,
		IdleTimeout:       l.idle,
		MaxHeaderBytes:    l.header,
		ErrorLog:          errorLog(logger),
	}
}
