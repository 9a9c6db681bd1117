package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

const (
	kindOfNotes = `{"apiVersion": "lethe.dev/v1", "kind": "Kind", "metadata": {"name": "note"}, "spec": {"apiVersion": "example.dev/v1",
		"names": {"kind": "Note", "plural": "notes"}, "schema": {"type": "object", "properties": {"text": {"type": "string"}}}}}`
	noteStart = `{"apiVersion": "example.dev/v1", "kind": "Note", "metadata": {"name": "`
)

func note(name, text string) string {
	return noteStart + name + `"}, "spec": {"text": "` + text + `"}}`
}

// process is a lethe-node of its own.
type process struct {
	cmd  *exec.Cmd
	http string
}

func startProcess(t *testing.T, name, server, database string) *process {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{http: l.Addr().String()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], "--fleet", "shop", "--name", name, "--nats-url", server, "--database-url", database, "--http", p.http)
	p.cmd.Args[0] = "lethe-node"
	var log cmdtest.Log
	p.cmd.Stdout, p.cmd.Stderr = &log, &log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.signal(t, syscall.SIGCONT)
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("node %s:\n%s", name, log.String())
		}
	})
	begun := time.Now()
	for {
		resp, err := http.Get("http://" + p.http + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return p
			}
		}
		if p.cmd.ProcessState != nil || time.Since(begun) > cmdtest.Patience {
			t.Fatalf("%s does not start: %v\n%s", name, err, log.String())
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

// ask is one HTTP request, which is done.
func (p *process) ask(t *testing.T, method, path, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cmdtest.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+p.http+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, data, err)
	}
}

// A node stands still with requests that it has received. Their askers give up, somebody else writes through another node, and the
// node goes on.
func TestWhatAFrozenNodeHadReceivedIsNotDoneWhenItGoesOn(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	nc, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	database := pgtest.DSN(t)
	other, err := lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "shop", Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	store, err := manifest.Open(t.Context(), database, other)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	one := startProcess(t, "one", server.URL(), database)
	for _, text := range []string{kindOfNotes, note("nats", "old"), note("http", "old"), note("gone", "old"), note("told", "old")} {
		one.ask(t, "POST", "/v1/manifests", text)
	}
	idle, err := net.Dial("tcp", one.http)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = idle.Close() }()
	get := "GET /v1/kinds HTTP/1.1\r\nHost: " + one.http + "\r\n\r\n"
	if _, err := io.WriteString(idle, get); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(idle), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", answer, err)
	}
	_ = answer.Body.Close()

	one.signal(t, syscall.SIGSTOP)
	const timeout = time.Second
	begun := time.Now()
	asked := map[string]*nats.Subscription{}
	for what, body := range map[string]string{
		ctl.Apply: note("nats", "A"), ctl.Delete: `{"kind": "note", "name": "gone"}`, ctl.SetStatus: `{"kind": "note", "name": "told", "status": {"by": "A"}}`,
		ctl.Invalidate: `{"kind": "note", "name": "told"}`, ctl.Invalidate + ".note": `{"kind": "note"}`,
	} {
		inbox := nc.NewRespInbox()
		if asked[what], err = nc.SubscribeSync(inbox); err != nil {
			t.Fatal(err)
		}
		msg := &nats.Msg{Subject: ctl.AnySubject("shop", what), Reply: inbox, Data: []byte(body), Header: nats.Header{ctl.TimeoutHeader: {timeout.String()}}}
		if err := nc.PublishMsg(msg); err != nil {
			t.Fatal(err)
		}
	}
	body := note("http", "A")
	post := "POST /v1/manifests HTTP/1.1\r\nHost: " + one.http + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	if _, err := io.WriteString(idle, post); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(nc.FlushTimeout(cmdtest.Patience), idle.Close()); err != nil { // the asker hangs up
		t.Fatal(err)
	}
	if _, err := store.Apply(t.Context(), []byte(note("nats", "B")+"\n---\n"+note("http", "B"))); err != nil {
		t.Fatal(err)
	}
	<-time.After(timeout - time.Since(begun))

	one.signal(t, syscall.SIGCONT)
	for what, sub := range asked {
		m, err := sub.NextMsg(cmdtest.Patience)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if no := m.Header.Get(micro.ErrorHeader); m.Header.Get(micro.ErrorCodeHeader) != "503" || !strings.Contains(no, "nothing was done") || !strings.Contains(string(m.Data), `"retry":true`) {
			t.Errorf("%s: %v %s, want to be told that nothing was done", what, m.Header, m.Data)
		}
	}
	one.signal(t, syscall.SIGTERM) // it ends when all that it has begun is done
	_ = one.cmd.Wait()
	for name, want := range map[string]string{"nats": "B", "http": "B", "gone": "old", "told": "old"} {
		o, err := store.Get(t.Context(), "note", "default", name)
		if err != nil || !strings.Contains(string(o.Spec), `"`+want+`"`) || len(o.Status) > 0 {
			t.Errorf("%s: %s %s, %v; want %s", name, o.Spec, o.Status, err, want)
		}
	}
}
