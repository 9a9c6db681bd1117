package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
)

// running is a node that serve runs.
type running struct {
	t     *testing.T
	log   *cmdtest.Log
	stop  context.CancelFunc
	ended chan error
}

// run runs serve with flags; a process would run it the same way, and end it by a signal.
func run(t *testing.T, flags ...string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{t: t, log: &cmdtest.Log{}, stop: stop, ended: make(chan error, 1)}
	go func() {
		r.ended <- serve(ctx, parseFlags(t, append(flags, "--fleet", "shop", "--http", "127.0.0.1:0")...), r.log)
		close(r.ended)
	}()
	t.Cleanup(r.wait)
	eventually(t, "the node serves", func() bool { return address(r.log) != "" })
	return r
}

// wait ends it, and returns when it has ended.
func (r *running) wait() {
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("the node ended with %v", err)
	}
}

// said is an address in the node's log.
func (r *running) said(name string) string {
	_, rest, _ := strings.Cut(r.log.String(), name+"=")
	address, _, _ := strings.Cut(rest, "\n")
	address, _, _ = strings.Cut(address, " ")
	return address
}

// fetch is status, body and whether the connection is closed after it.
func fetch(t *testing.T, client *http.Client, url string) (status int, body string, closes bool, err error) {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		return 0, "", false, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), res.Close, err
}

func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func TestNodeThatEndsFirstSaysSoAndAnswersOn(t *testing.T) {
	t.Parallel()
	srv, _ := startServer(t)
	client := newClient(t)
	// A machine may be so busy that the delay is over before anything was asked: then once more, with a longer one.
	for _, delay := range []string{"1s", "5s", "20s", "1m"} {
		n := run(t, "--nats-url", srv.URL(), "--drain-delay", delay, "--admin", "127.0.0.1:0")
		web, admin := n.said("http"), n.said("admin")
		for _, at := range []string{web, admin} {
			eventually(t, "ready", func() bool { status, _, _, _ := fetch(t, client, at+"/readyz"); return status == http.StatusOK })
		}
		n.stop()
		var status int
		var body string
		var err error
		for err == nil && status != http.StatusServiceUnavailable {
			status, body, _, err = fetch(t, client, web+"/readyz")
		}
		if err != nil {
			n.wait()
			continue
		}
		if !strings.Contains(body, `"field":"draining"`) {
			t.Errorf("/readyz: %s", body)
		}
		ready, _, _, errReady := fetch(t, client, admin+"/readyz")
		live, _, _, errLive := fetch(t, client, admin+"/livez")
		answered, _, closes, errAnswer := fetch(t, client, web+"/v1/status")
		n.wait()
		if errors.Join(errReady, errLive, errAnswer) != nil {
			continue
		}
		if ready != http.StatusServiceUnavailable || live != http.StatusOK || answered != http.StatusOK || !closes {
			t.Errorf("while it drains: /readyz %d and /livez %d at --admin, /v1/status %d, its connection closed %t", ready, live, answered, closes)
		}
		if _, _, _, err := fetch(t, client, admin+"/livez"); err == nil {
			t.Error("--admin is answered by a node that has ended")
		}
		return
	}
	t.Error("a node that ends never says so while it answers")
}

func TestAdminAnswersProbesAndMetricsAlone(t *testing.T) {
	t.Parallel()
	srv, _ := startServer(t)
	client := newClient(t)
	token := t.TempDir() + "/token"
	put(t, token, goodToken)
	n := run(t, "--nats-url", srv.URL(), "--admin", "0.0.0.0:0", "--http-token-file", token)
	admin := strings.Replace(n.said("admin"), "[::]", "127.0.0.1", 1)
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 200, "/readyz?lease=1": 200, "/metrics": 200, "/readyz?lease=": 400, "/livez?a;b": 400,
		"/": 404, "/v1/status": 404, "/v1/functions": 404, "/schemas/x": 404,
	} {
		eventually(t, path, func() bool { status, _, _, _ := fetch(t, client, admin+path); return status == want })
	}
	if status, _, _, err := fetch(t, client, n.said("http")+"/v1/status"); status != http.StatusUnauthorized {
		t.Errorf("--http without the token: %d %v", status, err)
	}
}

func TestAdminAnswersWhileAllOtherConnectionsAreTaken(t *testing.T) {
	t.Parallel()
	s, address := tight(t, func(l *limits) { l.conns = 2 })
	for range 2 {
		w := dialWire(t, address)
		w.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := w.r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	d, err := openAdmin(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.serve(s.api.adminHandler(), s.api.logger)
	t.Cleanup(func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	})
	besiege(t, d.listener.Addr().String(), 2*adminLimits().conns, "GET /")
	livezOf(t, d.listener.Addr().String())
}

func TestHealthcheckAsksTheAdminAddress(t *testing.T) {
	t.Parallel()
	srv, _ := startServer(t)
	n := run(t, "--nats-url", srv.URL(), "--admin", "127.0.0.1:0")
	admin := strings.TrimPrefix(n.said("admin"), "http://")
	eventually(t, "healthy", func() bool {
		root := newRoot()
		root.SetArgs([]string{"healthcheck", "--http", "127.0.0.1:1", "--admin", admin})
		return root.ExecuteContext(t.Context()) == nil
	})
}

func TestHowANodeEndsDependsOnWhoCanReachIt(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]time.Duration{
		"":                 0,
		"--drain-delay 3s": 3 * time.Second,
		"--http 0.0.0.0:8080 --http-token-file f":                  defaultDrain,
		"--http 0.0.0.0:8080 --http-token-file f --drain-delay 0s": 0,
	} {
		c := parseFlags(t, strings.Fields(flags)...)
		loopback, err := isLoopback(c.http)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ending(loopback); got.drain != want || got.shutdown != defaultShutdown {
			t.Errorf("%q: %+v, want %v", flags, got, want)
		}
	}
}

// counted is the manifest that the writers of a rolling restart count up in.
func counted(n int) string {
	return fmt.Sprintf("apiVersion: example.dev/v1\nkind: Chatbot\nmetadata: {namespace: acme, name: counter}\nspec: {model: m%d}\n", n)
}

// countIn is what is counted in an answer.
func countIn(body string) (n int, err error) {
	var o struct {
		Spec struct {
			Model string `json:"model"`
		} `json:"spec"`
	}
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		return 0, err
	}
	_, err = fmt.Sscanf(o.Spec.Model, "m%d", &n)
	return n, err
}
