package cmdtest

import (
	"net"
	"sync"

	"github.com/nats-io/nats.go"
)

// Link is a NATS client's way to its server. While it is frozen nothing comes through it to the client, as if the client's
// process were stopped; what came meanwhile comes when it is thawed.
type Link struct {
	mu   sync.Mutex // guards what follows
	gate chan struct{}
}

// Option makes a client use the link.
func (l *Link) Option() nats.Option { return nats.SetCustomDialer(l) }

// Dial connects; the client calls it.
func (l *Link) Dial(network, address string) (net.Conn, error) {
	conn, err := net.Dial(network, address) //nolint:noctx // the client's interface has none
	if err != nil {
		return nil, err
	}
	return &held{Conn: conn, link: l}, nil
}

// Freeze holds back what comes from now on.
func (l *Link) Freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == nil {
		l.gate = make(chan struct{})
	}
}

// Thaw lets through what was held back.
func (l *Link) Thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate != nil {
		close(l.gate)
		l.gate = nil
	}
}

func (l *Link) open() {
	l.mu.Lock()
	gate := l.gate
	l.mu.Unlock()
	if gate != nil {
		<-gate
	}
}

type held struct {
	net.Conn
	link *Link
}

// Read returns nothing before the link is open: also of what it was waiting for when it was frozen.
func (h *held) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.link.open()
	return n, err
}
