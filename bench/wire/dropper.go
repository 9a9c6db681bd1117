package wire

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// dropper is a dialer whose connections lose what it is told to: the messages of the fleet's functions on their live subjects.
// It reads the server's protocol, and notes when a message passes and when a Direct Get is sent.
type dropper struct {
	on      atomic.Bool
	dropped atomic.Int64
	passed  atomic.Int64 // when the last of such messages passed
	asked   atomic.Int64 // when the last Direct Get was sent
}

// Dial is nats.CustomDialer's.
func (d *dropper) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &lossy{Conn: conn, d: d, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// lossy is a connection of a dropper.
type lossy struct {
	net.Conn
	d    *dropper
	in   *bufio.Reader
	rest []byte // of what has passed
}

func (l *lossy) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("PUB $JS.API.DIRECT.GET.")) {
		l.d.asked.Store(time.Now().UnixNano())
	}
	return l.Conn.Write(p)
}

// Read brings what has come, protocol operation by operation, until the buffer is empty or p is full.
func (l *lossy) Read(p []byte) (int, error) {
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	for n < len(p) && (n == 0 || l.in.Buffered() > 0) {
		op, err := l.operation()
		if err != nil {
			if n > 0 {
				return n, nil // it comes again
			}
			return 0, err
		}
		m := copy(p[n:], op)
		n += m
		l.rest = op[m:]
	}
	return n, nil
}

// operation reads one operation; nothing of one that is lost.
func (l *lossy) operation() ([]byte, error) {
	line, err := l.in.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(line, []byte("MSG ")) && !bytes.HasPrefix(line, []byte("HMSG ")) {
		return line, nil
	}
	fields := bytes.Fields(line)
	size, err := strconv.Atoi(string(fields[len(fields)-1]))
	if err != nil {
		return nil, fmt.Errorf("not NATS: %q", line)
	}
	op := make([]byte, len(line)+size+len("\r\n"))
	copy(op, line)
	if _, err := io.ReadFull(l.in, op[len(line):]); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(fields[1], []byte(event.LiveSubject(fleet, "fn."))) {
		if l.d.on.Load() {
			l.d.dropped.Add(1)
			return nil, nil
		}
		l.d.passed.Store(time.Now().UnixNano())
	}
	return op, nil
}
