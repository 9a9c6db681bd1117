package main

import (
	"net"
	"sync"
	"testing"
	"time"
)

// line is a TCP line to another region: it delays, and can be cut.
type line struct {
	l      net.Listener
	to     string
	oneWay time.Duration

	mu    sync.Mutex // guards what follows
	down  bool
	conns map[net.Conn]bool
}

func newLine(t *testing.T, to string, oneWay time.Duration) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &line{l: l, to: to, oneWay: oneWay, conns: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); p.cut(true); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(c) })
		}
	})
	return p
}

func (p *line) addr() string { return p.l.Addr().String() }

// cut ends every connection and lets no new one through, until it is mended.
func (p *line) cut(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	if down {
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

func (p *line) serve(a net.Conn) {
	defer func() { _ = a.Close() }()
	p.mu.Lock()
	down := p.down
	p.mu.Unlock()
	if down {
		return
	}
	b, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer func() { _ = b.Close() }()
	p.mu.Lock()
	p.conns[a], p.conns[b] = true, true
	p.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { p.carry(a, b) })
	wg.Go(func() { p.carry(b, a) })
	wg.Wait()
}

// carry writes to what from says, each piece oneWay later.
func (p *line) carry(from, to net.Conn) {
	type piece struct {
		due  time.Time
		data []byte
	}
	pieces := make(chan piece, 1024)
	var wg sync.WaitGroup
	wg.Go(func() {
		for x := range pieces {
			<-time.After(time.Until(x.due))
			_, _ = to.Write(x.data)
		}
		_ = to.Close()
	})
	for {
		buf := make([]byte, 64<<10)
		n, err := from.Read(buf)
		if n > 0 {
			pieces <- piece{time.Now().Add(p.oneWay), buf[:n]}
		}
		if err != nil {
			break
		}
	}
	close(pieces)
	wg.Wait()
}
