package bus

import (
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// inbox is where one consumer delivers to.
type inbox struct {
	name   string        // of the consumer
	conn   uint64        // the connection it was made on: on another one it has missed something, and may repeat it
	base   uint64        // arrivals in the inboxes before it
	number atomic.Uint64 // arrivals in it, the server's notices among them
	heard  atomic.Int64  // when the consumer was last heard
	came   moments       // of the callback alone
	sub    *nats.Subscription
}

// flowPrefix is where flow control is answered, and nowhere else: an inbox that somebody has guessed must not make the node
// publish what it is told to.
const flowPrefix = "$JS.FC."

// hear is the client's callback.
func (c *consumed) hear(in *inbox, m *nats.Msg) {
	defer in.came.end(m.Sub)
	a := Arrival{
		Subject: m.Subject, Header: m.Header, Data: m.Data,
		At: in.came.begin(), Conn: in.conn, Number: in.base + in.number.Add(1), // first: Mark must not miss it
	}
	// 1. The connection breaks, the stream goes on.
	// 2. The client comes back, and subscribes to this inbox again; the server goes on where it was.
	// 3. Were it taken for live, a message stored long before would prove that the feed is alive.
	if c.inbox.Load() != in || connNumber(c.nc) != in.conn {
		return
	}
	s, ok := ackStamp(m.Reply, c.stream, in.name)
	switch {
	case ok:
		s.Subject, s.Forged = m.Subject, forged(m.Header, 0)
		a.Stamp = s
	case notice(m):
		in.heard.Store(a.At)
		c.answer(m)
		return
	default:
		a.Foreign, a.Data = true, nil
	}
	if ok {
		in.heard.Store(a.At)
	}
	a.More = in.came.more(m.Sub)
	c.deliver(a)
}

// notice says whether m is a heartbeat or flow control. What is stored always has an ack's subject, whatever its headers say.
func notice(m *nats.Msg) bool {
	return len(m.Data) == 0 && m.Header.Get("Status") == "100" && (m.Reply == "" || strings.HasPrefix(m.Reply, flowPrefix))
}

// answer lets the consumer go on: it waits for that after so many bytes, and says in its heartbeats that it still does.
func (c *consumed) answer(m *nats.Msg) {
	reply := m.Reply
	if reply == "" {
		reply = m.Header.Get("Nats-Consumer-Stalled")
	}
	if !strings.HasPrefix(reply, flowPrefix) {
		return
	}
	select {
	case c.flow <- reply:
	default: // the next heartbeat asks again
	}
}
