package cmdtest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy is a way to a database. While it is frozen it takes connections and what is sent, and nothing is answered, as by a server
// whose process is stopped.
type Proxy struct {
	link     Link
	listener net.Listener
	to       string
	running  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	closed bool
	conns  []net.Conn
}

// Through is a Proxy to the server that dsn names, a URL, and the dsn to use it by. It ends with the test, after what was begun
// later.
func Through(tb testing.TB, dsn string) (*Proxy, string) {
	tb.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{to: u.Host}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil { //nolint:noctx // it takes no time
		tb.Fatal(err)
	}
	p.running.Add(1)
	go p.accept()
	tb.Cleanup(p.close)
	u.Host = p.listener.Addr().String()
	return p, u.String()
}

// Freeze has nothing answered from now on.
func (p *Proxy) Freeze() { p.link.Freeze() }

// Thaw lets through what was held back.
func (p *Proxy) Thaw() { p.link.Thaw() }

func (p *Proxy) accept() {
	defer p.running.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := p.link.Dial("tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.join(client, server)
	}
}

func (p *Proxy) join(client, server net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_, _ = client.Close(), server.Close()
		return
	}
	p.conns = append(p.conns, client, server)
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		p.running.Add(1)
		go func() {
			defer p.running.Done()
			_, _ = io.Copy(way[0], way[1])
			_, _ = way[0].Close(), way[1].Close()
		}()
	}
}

func (p *Proxy) close() {
	p.Thaw()
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}
