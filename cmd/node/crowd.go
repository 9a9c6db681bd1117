package main

import (
	"net"
	"net/http"
	"sync"
)

// crowd is a listener that lets so many connections in at a time. For the next one, a connection that waits for another
// request is closed; where all are busy, it waits until one ends or has been answered, and those after it wait in the
// system's queue.
type crowd struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	close  sync.Once

	mu    sync.Mutex // guards what follows
	idle  map[net.Conn]struct{}
	wants bool // one waits for a place, and none was idle
}

func newCrowd(l net.Listener, most int) *crowd {
	return &crowd{Listener: l, places: make(chan struct{}, most), closed: make(chan struct{}), idle: map[net.Conn]struct{}{}}
}

// Accept returns the next connection once there is a place for it.
func (c *crowd) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case c.places <- struct{}{}:
		return &guest{Conn: conn, of: c}, nil
	default:
	}
	c.dismiss()
	select {
	case c.places <- struct{}{}:
		return &guest{Conn: conn, of: c}, nil
	case <-c.closed:
		_ = conn.Close()
		return nil, net.ErrClosed
	}
}

// Close ends Accept, also one that waits for a place. Connections stay open.
func (c *crowd) Close() error {
	c.close.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

// state is the server's ConnState.
func (c *crowd) state(conn net.Conn, s http.ConnState) {
	c.mu.Lock()
	dismiss := c.wants && s == http.StateIdle
	switch {
	case dismiss:
		c.wants = false
	case s == http.StateIdle:
		c.idle[conn] = struct{}{}
	default:
		delete(c.idle, conn)
	}
	c.mu.Unlock()
	if dismiss {
		_ = conn.Close()
	}
}

// dismiss closes one idle connection, or the next that becomes idle. A request that came at the same moment is lost with it,
// as whenever a server closes an idle connection: clients send it again.
func (c *crowd) dismiss() {
	c.mu.Lock()
	var one net.Conn
	for one = range c.idle {
		delete(c.idle, one)
		break
	}
	c.wants = one == nil
	c.mu.Unlock()
	if one != nil {
		_ = one.Close()
	}
}

// guest is a connection that has a place until it is closed.
type guest struct {
	net.Conn
	of   *crowd
	left sync.Once
}

// Close gives the place back.
func (g *guest) Close() error {
	err := g.Conn.Close()
	g.left.Do(func() { <-g.of.places })
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
