package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
)

// guard decides who may call. Without a token only this machine can connect (serve sees to that), and what is left to
// fear is a web page in a browser of this machine: a request of another site (CrossOriginProtection) or a name that
// another site made point here (the Host). With a token, it is asked for.
type guard struct {
	token    *[sha256.Size]byte // nil = none
	loopback bool               // listens on loopback
	origins  *http.CrossOriginProtection
}

// minToken is the shortest token taken: 16 characters of base64 are 96 bits.
const minToken = 16

func newGuard(tokenFile string, loopback bool) (*guard, error) {
	g := &guard{loopback: loopback, origins: http.NewCrossOriginProtection()}
	if tokenFile == "" {
		return g, nil
	}
	data, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, cli.Exit(cli.CodeUsage, fmt.Errorf("--http-token-file: %w", err))
	}
	token := bytes.TrimSpace(data)
	if len(token) < minToken || bytes.ContainsAny(token, " \t\r\n") {
		return nil, cli.Usagef("--http-token-file %s: want one line of at least %d characters, like the output of: openssl rand -base64 32", tokenFile, minToken)
	}
	sum := sha256.Sum256(token)
	g.token = &sum
	return g, nil
}

func (g *guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if err := g.check(r); err != nil {
			if err.Status == http.StatusUnauthorized {
				w.Header().Add("WWW-Authenticate", `Bearer realm="lethe-node"`)
				// A browser can't send Bearer by itself: for the page it may give the token as the password.
				w.Header().Add("WWW-Authenticate", `Basic realm="lethe-node"`)
			}
			writeError(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (g *guard) check(r *http.Request) *problem {
	if g.loopback && !localHost(r.Host) {
		return bad(http.StatusForbidden, "Host", "this node answers on loopback only: call it as localhost or 127.0.0.1, not %q", r.Host)
	}
	if g.token != nil && !open(r.URL.Path) && !g.authorized(r) {
		return bad(http.StatusUnauthorized, "Authorization", "send the token of --http-token-file as 'Authorization: Bearer …'")
	}
	if err := g.origins.Check(r); err != nil {
		return bad(http.StatusForbidden, "Origin", "a web page of another site may not change anything here")
	}
	return nil
}

// open names what asks for no token: orchestrators and scrapers have none, and none of it says what is cached.
func open(path string) bool {
	return path == "/livez" || path == "/readyz" || path == "/metrics"
}

func (g *guard) authorized(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		_, given, _ = r.BasicAuth()
	}
	sum := sha256.Sum256([]byte(strings.TrimSpace(given)))
	return subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
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
