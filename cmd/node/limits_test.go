package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/pkg/event"
)

// tight is a node that serves with other limits, the way serve does, and returns its address.
func tight(t *testing.T, change func(*limits)) (*site, string) {
	t.Helper()
	s := startSite(t)
	s.api.limits.one = 1 << 20 // all are of one address here
	s.api.limits.head, s.api.limits.read, s.api.limits.answer = cmdtest.Patience, cmdtest.Patience, cmdtest.Patience
	change(&s.api.limits)
	h := s.api.handler(&guard{loopback: true, origins: http.NewCrossOriginProtection()})
	l, err := listen(t.Context(), "--http", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.api.run(ctx, s.api.server(h), l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

// wire is a client that decides byte by byte.
type wire struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func dialWire(t *testing.T, address string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(cmdtest.Patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{c, t, bufio.NewReader(c)}
}

func (w *wire) send(format string, args ...any) {
	w.t.Helper()
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		w.t.Fatal(err)
	}
}

// status reads one answer whole.
func (w *wire) status() int {
	w.t.Helper()
	res, err := http.ReadResponse(w.r, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode
}

// cut requires that the server ends the connection before the client's own deadline.
func (w *wire) cut(what string) {
	w.t.Helper()
	_, err := io.Copy(io.Discard, w.r)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		w.t.Errorf("%s: not cut off", what)
	}
}

const getLivez = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"

func TestAClientThatSendsItsHeadersOrBodySlowlyIsCutOff(t *testing.T) {
	t.Parallel()
	_, address := tight(t, func(l *limits) { l.head, l.read = 100*time.Millisecond, time.Hour })
	for what, said := range map[string]string{"nothing": "", "half a line": "GET /li", "no end of headers": "GET /livez HTTP/1.1\r\nHost: localhost\r\n"} {
		w := dialWire(t, address)
		w.send("%s", said)
		w.cut(what)
	}
	_, address = tight(t, func(l *limits) { l.read = 300 * time.Millisecond })
	eventually(t, "a body that does not come is answered with 408", func() bool { // or cut off, where a busy machine took long to read the headers
		w := dialWire(t, address)
		w.send("POST /v1/invalidate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
		res, err := http.ReadResponse(w.r, nil)
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		w.cut("a body that does not come")
		return res.StatusCode == http.StatusRequestTimeout
	})
}

func TestAClientThatDoesNotTakeItsAnswersIsCutOff(t *testing.T) {
	t.Parallel()
	s, address := tight(t, func(l *limits) { l.answer = 300 * time.Millisecond })
	put(t, s.dir+"/large.txt", strings.Repeat("x", 1<<20))
	w := dialWire(t, address)
	sent := make(chan error, 1)
	go func() { // until the server takes no more
		for {
			if _, err := io.WriteString(w, "GET /v1/functions/file.read?arg=large.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				sent <- err
				return
			}
		}
	}()
	var late net.Error
	if err := <-sent; errors.As(err, &late) && late.Timeout() {
		t.Errorf("not cut off: %v", err)
	}
}

func TestAConnectionThatAsksNothingMoreIsClosed(t *testing.T) {
	t.Parallel()
	_, address := tight(t, func(l *limits) { l.idle, l.read = 100*time.Millisecond, time.Hour })
	w := dialWire(t, address)
	w.send(getLivez)
	if got := w.status(); got != 200 {
		t.Fatal(got)
	}
	w.cut("idle")
}

func TestHeadersAndBodiesThatAreTooLongAreRefused(t *testing.T) {
	t.Parallel()
	_, address := tight(t, func(*limits) {})
	w := dialWire(t, address)
	w.send("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", strings.Repeat("x", 40<<10))
	if got := w.status(); got != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("40 KiB of headers: %d", got)
	}
	for what, head := range map[string]string{"said": fmt.Sprintf("Content-Length: %d", maxBody+1), "not said": "Transfer-Encoding: chunked"} {
		w := dialWire(t, address)
		w.send("POST /v1/invalidate HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", head)
		go func() {
			if what == "not said" {
				_, _ = fmt.Fprintf(w, "%x\r\n", maxBody+1)
			}
			_, _ = io.WriteString(w, strings.Repeat(" ", maxBody+1))
		}()
		if got := w.status(); got != http.StatusRequestEntityTooLarge {
			t.Errorf("a body that is too long, which was %s: %d", what, got)
		}
	}
}

func TestOnlySoManyConnectionsAtATime(t *testing.T) {
	t.Parallel()
	const most = 4
	_, address := tight(t, func(l *limits) { l.conns = most })
	busy := make([]*wire, most)
	for i := range busy {
		busy[i] = dialWire(t, address)
		busy[i].send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := busy[i].r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	next := dialWire(t, address)
	next.send(getLivez)
	if err := next.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := next.r.ReadByte(); err == nil {
		t.Fatalf("%d connections are answered at a time", most+1)
	}
	if err := next.SetReadDeadline(time.Now().Add(cmdtest.Patience)); err != nil {
		t.Fatal(err)
	}
	_ = busy[0].Close() // one leaves, and the next is answered
	if got := next.status(); got != 200 {
		t.Fatal(got)
	}
	// It is idle now, and gives way to whoever comes.
	for range 10 {
		w := dialWire(t, address)
		w.send(getLivez)
		if got := w.status(); got != 200 {
			t.Fatal(got)
		}
	}
	next.cut("an idle connection that is in the way")
}

func TestWhoWaitsForAPlaceGetsThatOfTheFirstThatWasAnswered(t *testing.T) {
	t.Parallel()
	s, address := tight(t, func(l *limits) { l.conns = 1 })
	first := dialWire(t, address)
	first.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := first.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	second := dialWire(t, address)
	second.send(getLivez)
	s.api.events.mu.Lock()
	for c := range s.api.events.clients {
		s.api.events.drop(c)
	}
	s.api.events.mu.Unlock()
	if got := second.status(); got != 200 {
		t.Fatal(got)
	}
	first.cut("silent while another one waits")
}

func TestTheNodeEndsWhileConnectionsWaitForAPlace(t *testing.T) {
	t.Parallel()
	_, address := tight(t, func(l *limits) { l.conns = 1 })
	first := dialWire(t, address)
	first.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := first.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	dialWire(t, address).send(getLivez) // and the cleanup of tight requires an end without an error
}

func TestOnlySoManyClientsOfEvents(t *testing.T) {
	t.Parallel()
	s, address := tight(t, func(*limits) {})
	var clients []*client
	for range hubClients {
		c, _, _, ok := s.api.events.join(event.Token{})
		if !ok {
			t.Fatal("refused too early")
		}
		clients = append(clients, c)
	}
	const events = "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
	w := dialWire(t, address)
	w.send(events)
	if got := w.status(); got != http.StatusServiceUnavailable {
		t.Errorf("one client too many: %d", got)
	}
	s.api.events.leave(clients[0])
	w.send(events)
	if line, err := w.r.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("after one has left: %q, %v", line, err)
	}
}

func TestAClientThatTakesNoEventsIsLetGo(t *testing.T) {
	t.Parallel()
	s, address := tight(t, func(*limits) {})
	w := dialWire(t, address)
	w.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := w.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 32<<10)
	clients := func() int {
		s.api.events.mu.Lock()
		defer s.api.events.mu.Unlock()
		return len(s.api.events.clients)
	}
	for i := 0; clients() > 0; i++ { // as fast as it goes: the system's buffers are full before its queue is
		if i == 100_000 {
			t.Fatal("it still holds on")
		}
		e := event.Event{ID: "x", Type: event.TypeInvalidated, Source: "/x", Targets: []event.Target{event.All()}, Reason: large}
		if err := s.api.events.receive(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}
