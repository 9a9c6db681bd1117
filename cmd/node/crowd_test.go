package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
)

// doorstep is a listener of connections that a test hands it.
type doorstep struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newDoorstep() *doorstep {
	return &doorstep{conns: make(chan net.Conn, 64), closed: make(chan struct{})}
}

func (d *doorstep) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *doorstep) Close() error   { d.once.Do(func() { close(d.closed) }); return nil }
func (d *doorstep) Addr() net.Addr { return &net.TCPAddr{} }

// caller is a connection of some address that only knows whether it was closed.
type caller struct {
	net.Conn
	from   string
	closed chan struct{}
	once   sync.Once
}

func (c *caller) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.from), Port: 4711} }
func (c *caller) Close() error         { c.once.Do(func() { close(c.closed) }); return nil }

func (c *caller) gone() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// arrive lets a caller arrive, and returns it.
func (d *doorstep) arrive(from string) *caller {
	c := &caller{from: from, closed: make(chan struct{})}
	d.conns <- c
	return c
}

// accept is the next one that is let in.
func accept(t *testing.T, c *crowd) *guest {
	t.Helper()
	conn, err := c.Accept()
	g, ok := conn.(*guest)
	if err != nil || !ok {
		t.Fatal(conn, err)
	}
	return g
}

func TestConnectionSilentLongestGoesFirst(t *testing.T) {
	t.Parallel()
	d := newDoorstep()
	c := newCrowd(d, 3, 3)
	var callers []*caller
	var guests []*guest
	next := func() {
		callers = append(callers, d.arrive(fmt.Sprintf("10.0.0.%d", len(callers)+1)))
		guests = append(guests, accept(t, c))
	}
	want := func(gone ...int) {
		t.Helper()
		for i, caller := range callers {
			if is := strings.Contains(fmt.Sprint(gone), fmt.Sprint(i)); is != caller.gone() {
				t.Errorf("caller %d is closed: %t, want %v", i, caller.gone(), gone)
			}
		}
	}
	for range 3 {
		next()
	}
	guests[0].speak() // it is being answered
	next()
	want(1)
	guests[0].listen() // it has been, and is silent since
	next()
	want(1, 2)
	next()
	want(1, 2, 3)
	next()
	want(0, 1, 2, 3)
	for _, g := range guests {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
	if c.in != 0 || len(c.of) != 0 || c.first.next != &c.first || c.first.prev != &c.first {
		t.Errorf("all have left, and %d are in, %v", c.in, c.of)
	}
}

func TestOneAddressLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	d := newDoorstep()
	c := newCrowd(d, 4, 2)
	for _, from := range []string{"192.0.2.1", "::ffff:192.0.2.1"} { // the same
		d.arrive(from)
		accept(t, c).speak()
	}
	third := d.arrive("192.0.2.1")
	other := d.arrive("2001:db8:1:2::1")
	accept(t, c).speak()
	if !third.gone() || other.gone() {
		t.Errorf("the third of one address is closed: %t; the first of another: %t", third.gone(), other.gone())
	}
	neighbour := d.arrive("2001:db8:1:2:3::9") // of the same /64
	g := accept(t, c)
	last := d.arrive("2001:db8:1:2::3")
	accept(t, c)
	if !neighbour.gone() || last.gone() {
		t.Errorf("within its address the silent one goes: %t, %t", neighbour.gone(), last.gone())
	}
	if err := g.Close(); err != nil || c.in != 4 {
		t.Errorf("closed twice, %d are in, %v", c.in, err)
	}
}

func TestWhoWaitsForAPlaceIsLetGoWhenTheListenerIsClosed(t *testing.T) {
	t.Parallel()
	d := newDoorstep()
	c := newCrowd(d, 1, 2)
	d.arrive("192.0.2.1")
	accept(t, c).speak()
	second := d.arrive("192.0.2.2")
	ended := make(chan error, 1)
	go func() {
		_, err := c.Accept()
		ended <- err
	}()
	eventually(t, "the second waits", func() bool { return len(d.conns) == 0 })
	_ = c.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) || !second.gone() {
			t.Error(err, second.gone())
		}
	case <-time.After(time.Minute):
		t.Error("it waits for the first to leave")
	}
}

// besiege keeps so many connections open to an address that send what is said and nothing more, until the test ends.
func besiege(t *testing.T, address string, count int, said string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	begun := make(chan struct{}, count)
	for range count {
		all.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				var d net.Dialer
				conn, err := d.DialContext(ctx, "tcp", address)
				if first {
					begun <- struct{}{}
				}
				if err != nil {
					continue
				}
				unhook := context.AfterFunc(ctx, func() { _ = conn.Close() })
				_, _ = io.WriteString(conn, said)
				_, _ = io.Copy(io.Discard, conn)
				unhook()
				_ = conn.Close()
			}
		})
	}
	t.Cleanup(func() {
		stop()
		all.Wait()
	})
	for range count {
		<-begun
	}
}

func TestProbesAreAnsweredAmongSilentConnections(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{
		"nothing said":   "",
		"half a request": "GET /li",
		"half a body":    "POST /v1/invalidate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
		"unwanted body":  "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, address := tight(t, func(l *limits) { l.conns, l.head, l.read = 16, time.Hour, time.Hour })
			besiege(t, address, 64, said)
			for range 5 {
				livezOf(t, address)
			}
		})
	}
}

// livezOf asks until it is answered: among so many a connection may be closed before its request has been read.
func livezOf(t *testing.T, address string) {
	t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	var last error
	for end := time.Now().Add(cmdtest.Patience); time.Now().Before(end); {
		res, err := client.Get("http://" + address + "/livez")
		if err != nil {
			last = err
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return
		}
		last = errors.New(res.Status)
	}
	t.Errorf("/livez: %v", last)
}

func TestUnwantedBodyHoldsNoConnection(t *testing.T) {
	t.Parallel()
	_, address := tight(t, func(l *limits) { l.read, l.idle = time.Hour, time.Hour })
	w := dialWire(t, address)
	w.send("GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
	if got := w.status(); got != http.StatusOK {
		t.Error(got)
	}
	w.cut("a body that nobody reads")
}
