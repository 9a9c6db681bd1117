package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// crowd is a listener that holds so many connections at a time, and so many of one remote address. A connection is silent while
// the server waits for its client: for a request, for the rest of its headers or for more of its body. For a connection that
// would be one too many, the one that is silent longest is closed. Where all are being answered, a further one of the same
// address is closed, and any other waits until one ends or falls silent; those after it wait in the system's queue.
type crowd struct {
	net.Listener
	most, perAddress int
	closed           chan struct{}
	close            sync.Once
	freed            chan struct{} // has a token when a connection has ended or fallen silent

	mu    sync.Mutex // guards what follows, and the state of the guests
	in    int        // connections that are not closed
	of    map[netip.Prefix]int
	first guest // the head of a ring of silent guests, the one that is silent longest next
}

func newCrowd(l net.Listener, most, perAddress int) *crowd {
	c := &crowd{
		Listener: l, most: most, perAddress: perAddress,
		closed: make(chan struct{}), freed: make(chan struct{}, 1), of: map[netip.Prefix]int{},
	}
	c.first.next, c.first.prev = &c.first, &c.first
	return c
}

// Accept returns the next connection once there is room for it.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g := &guest{Conn: conn, of: c, from: addressOf(conn.RemoteAddr())}
		switch c.admit(g) {
		case admitted:
			return g, nil
		case refused:
			_ = conn.Close()
			continue
		case full:
		}
		if !c.room(g) {
			_ = conn.Close()
			return nil, net.ErrClosed
		}
		return g, nil
	}
}

// room waits until there is room for g; it is false when the listener is closed first.
func (c *crowd) room(g *guest) bool {
	for {
		select {
		case <-c.freed:
		case <-c.closed:
			return false
		}
		if c.admit(g) == admitted {
			return true
		}
	}
}

type admission int

const (
	admitted admission = iota
	refused            // its address has too many, and all of them are being answered
	full               // all are being answered
)

// admit lets g in, if need be in the place of the connection that is silent longest.
func (c *crowd) admit(g *guest) admission {
	c.mu.Lock()
	var out *guest
	switch {
	case c.of[g.from] >= c.perAddress:
		if out = c.silentLongest(func(s *guest) bool { return s.from == g.from }); out == nil {
			c.mu.Unlock()
			return refused
		}
	case c.in >= c.most:
		if out = c.silentLongest(func(*guest) bool { return true }); out == nil {
			c.mu.Unlock()
			return full
		}
	}
	if out != nil {
		c.leave(out)
	}
	c.in++
	c.of[g.from]++
	c.enqueue(g)
	c.mu.Unlock()
	if out != nil {
		_ = out.Conn.Close()
	}
	return admitted
}

// silentLongest needs the lock.
func (c *crowd) silentLongest(fits func(*guest) bool) *guest {
	for g := c.first.next; g != &c.first; g = g.next {
		if fits(g) {
			return g
		}
	}
	return nil
}

// enqueue makes g the guest that is silent shortest. It needs the lock.
func (c *crowd) enqueue(g *guest) {
	last := c.first.prev
	g.prev, g.next = last, &c.first
	last.next, c.first.prev = g, g
}

// dequeue takes g out of the silent ones, if it is one of them. It needs the lock.
func (*crowd) dequeue(g *guest) {
	if g.next != nil {
		g.prev.next, g.next.prev = g.next, g.prev
		g.prev, g.next = nil, nil
	}
}

// leave takes g out, once. It needs the lock.
func (c *crowd) leave(g *guest) {
	if g.left {
		return
	}
	g.left = true
	c.dequeue(g)
	c.in--
	c.of[g.from]--
	if c.of[g.from] == 0 {
		delete(c.of, g.from)
	}
	c.tell()
}

// tell wakes one that waits for room.
func (c *crowd) tell() {
	select {
	case c.freed <- struct{}{}:
	default:
	}
}

// Close ends Accept, also one that waits for room. Connections stay open.
func (c *crowd) Close() error {
	c.close.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

// attend takes a guest out of the silent ones while its request is answered, except while its body is read.
func (c *crowd) attend(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g, ok := r.Context().Value(guestKey{}).(*guest)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		g.speak()
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		body := &attended{ReadCloser: r.Body, g: g}
		r.Body = body
		next.ServeHTTP(w, r)
		if !body.ended {
			// The server reads the rest of it, and would wait for it as long as for a body that somebody wants.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(restTime))
		}
	})
}

// restTime is how long the rest of a body may take that its handler did not want.
const restTime = time.Second

// state is the server's ConnState: an answer that is taken is followed by silence.
func (*crowd) state(conn net.Conn, s http.ConnState) {
	if g, ok := conn.(*guest); ok && s == http.StateIdle {
		g.listen()
	}
}

// serve has the server answer what comes through the crowd.
func (c *crowd) serve(server *http.Server) error {
	server.ConnState = c.state
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, guestKey{}, conn)
	}
	server.Handler = c.attend(server.Handler)
	return server.Serve(c)
}

// guest is a connection that is counted until it is closed.
type guest struct {
	net.Conn
	of         *crowd
	from       netip.Prefix
	left       bool   // guarded by of.mu
	next, prev *guest // among the silent ones; guarded by of.mu
}

type guestKey struct{}

// speak ends the guest's silence: the server works for it.
func (g *guest) speak() {
	g.of.mu.Lock()
	g.of.dequeue(g)
	g.of.mu.Unlock()
}

// listen begins it anew: the server waits for the guest.
func (g *guest) listen() {
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	if !g.left && g.next == nil {
		g.of.enqueue(g)
		g.of.tell()
	}
}

// Close gives the place back.
func (g *guest) Close() error {
	err := g.Conn.Close()
	g.of.mu.Lock()
	g.of.leave(g)
	g.of.mu.Unlock()
	return err
}

// CloseWrite says that nothing more comes. The server does so before it closes a connection whose client still sends, since
// what the client has not read yet is lost with a close.
func (g *guest) CloseWrite() error {
	if half, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// attended is a body; while it is read its guest is silent.
type attended struct {
	io.ReadCloser
	g     *guest
	ended bool
}

func (b *attended) Read(p []byte) (int, error) {
	b.g.listen()
	defer b.g.speak()
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err == io.EOF
	return n, err
}

// addressOf is what counts as one remote address: of IPv6 the /64 that one host commonly has to itself.
func addressOf(a net.Addr) netip.Prefix {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
