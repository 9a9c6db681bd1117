package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/desk"
	"github.com/lethe-cache/lethe/pkg/event"
)

// guard decides who may call. Without a token only this machine can connect (serve sees to that), and what is left to
// fear is a web page in a browser of this machine: a request of another site (CrossOriginProtection) or a name that
// another site made point here (the Host). With a token, it is asked for.
type guard struct {
	file     string                 // of the tokens; empty = there are none
	tokens   atomic.Pointer[tokens] // read again by reload
	loopback bool                   // listens on loopback
	origins  *http.CrossOriginProtection
}

func newGuard(tokenFile string, loopback bool) (*guard, error) {
	g := &guard{file: tokenFile, loopback: loopback, origins: http.NewCrossOriginProtection()}
	if tokenFile == "" {
		return g, nil
	}
	if err := g.reload(); err != nil {
		return nil, err
	}
	return g, nil
}

// reload reads the file of tokens again. One that is not as it should be changes nothing.
func (g *guard) reload() error {
	t, err := readTokens(g.file)
	if err != nil {
		return err
	}
	g.tokens.Store(t)
	return nil
}

// reloads reads the file of tokens again at each SIGHUP, until ctx ends; stop waits for that. Without a file the signal ends the
// process, as that of a terminal that is closed.
func (g *guard) reloads(ctx context.Context, logger *slog.Logger) (stop func() error) {
	if g.file == "" {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			if err := g.reload(); err != nil {
				logger.Error("not reloaded: the tokens read before are still good", "error", err)
				continue
			}
			t := g.tokens.Load()
			logger.Info("reloaded", "what", g.file, "tokens", len(t.sums), "names", t.who())
		}
	}()
	return func() error {
		signal.Stop(signals)
		cancel()
		<-done
		return nil
	}
}

func (g *guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		ctx, err := g.check(r)
		if err != nil {
			if err.Status == http.StatusUnauthorized {
				w.Header().Add("WWW-Authenticate", `Bearer realm="lethe-node"`)
				// A browser can't send Bearer by itself: for the page it may give the token as the password.
				w.Header().Add("WWW-Authenticate", `Basic realm="lethe-node"`)
			}
			writeError(w, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// check lets a request pass with the context that says who makes it, or refuses it.
func (g *guard) check(r *http.Request) (context.Context, *problem) {
	ctx := r.Context()
	if g.loopback && !localHost(r.Host) {
		return nil, bad(http.StatusForbidden, "Host", "this node answers on loopback only: call it as localhost or 127.0.0.1, not %q", r.Host)
	}
	if t := g.tokens.Load(); t != nil && !open(r.URL.Path) {
		i := t.find(given(r))
		if i < 0 {
			return nil, bad(http.StatusUnauthorized, "Authorization", "send a token of --http-token-file as 'Authorization: Bearer …'")
		}
		if t.names[i] != "" {
			ctx = event.WithActor(ctx, event.ActorToken, t.names[i])
		}
	}
	if err := g.origins.Check(r); err != nil {
		return nil, bad(http.StatusForbidden, "Origin", "a web page of another site may not change anything here")
	}
	headers, err := ctl.ReadHeaders(r.Header)
	if err != nil {
		return nil, problemOf(err)
	}
	if headers[ctl.TimeoutHeader] != "" {
		return nil, bad(http.StatusBadRequest, ctl.TimeoutHeader, "is for requests over NATS, and nothing was done: over HTTP a request ends when its connection is closed")
	}
	if headers[ctl.DryRunHeader] != "" {
		return nil, bad(http.StatusBadRequest, ctl.DryRunHeader, "is for requests over NATS, and nothing was done: over HTTP apply with ?dryRun=true")
	}
	if who := headers[ctl.ActorHeader]; who != "" {
		if ctx, err = desk.By(ctx, who); err != nil {
			return nil, problemOf(err)
		}
	}
	return ctx, nil
}

// open names what asks for no token: orchestrators and scrapers have none, and none of it says what is cached.
func open(path string) bool {
	return path == "/livez" || path == "/readyz" || path == "/metrics"
}

// given is the token that a request brings.
func given(r *http.Request) []byte {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		_, token, _ = r.BasicAuth()
	}
	return []byte(strings.TrimSpace(token))
}

// localHost says whether a Host header names this machine: a name that somebody else's DNS can make point here does not.
func localHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}
