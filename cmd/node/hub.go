package main

import (
	"context"
	"sync"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of /v1/events.
const (
	hubRing    = 1024 // events remembered for clients that come back
	hubQueue   = 256  // events waiting for one client; one that is further behind is cut off, and comes back with its last id
	hubClients = 256
)

// told is one event as clients get it.
type told struct {
	token event.Token
	data  []byte // a structured CloudEvent
}

// hub hands what the node has applied to the clients of /v1/events.
type hub struct {
	mu      sync.Mutex // guards what follows
	ring    []told     // the latest, oldest first
	from    event.Token
	clients map[*client]struct{}
	closed  bool
}

// client is one reader; gone is closed when it gets no more, because it is too slow or the node ends.
type client struct {
	queue chan told
	gone  chan struct{}
}

func newHub() *hub {
	return &hub{clients: map[*client]struct{}{}}
}

// begin says from where on the ring is complete: the node's position when the hub began to listen.
func (h *hub) begin(position event.Token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.from.IsZero() {
		h.from = position
	}
}

// receive is a receiver of the node.
func (h *hub) receive(_ context.Context, e event.Event) error {
	t, err := tell(e)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case e.Token.IsZero():
		// A reset or a lag: what came before does not join up with what comes.
		h.ring, h.from = nil, event.Token{}
	case h.from.IsZero():
		h.from = e.Token
		h.ring = append(h.ring, t)
	default:
		h.ring = append(h.ring, t)
	}
	if len(h.ring) > hubRing {
		h.from = h.ring[0].token
		h.ring = h.ring[1:]
	}
	for c := range h.clients {
		select {
		case c.queue <- t:
		default:
			h.drop(c)
		}
	}
	return nil
}

// join registers a client. missed is what came after the token; complete says that missed has all of it.
func (h *hub) join(after event.Token) (c *client, missed []told, complete, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.clients) >= hubClients {
		return nil, nil, false, false
	}
	c = &client{make(chan told, hubQueue), make(chan struct{})}
	h.clients[c] = struct{}{}
	if after.IsZero() {
		return c, nil, true, true
	}
	for _, t := range h.ring {
		if t.token.Epoch() != after.Epoch() || t.token.Sequence() > after.Sequence() {
			missed = append(missed, t)
		}
	}
	complete = !h.from.IsZero() && h.from.Epoch() == after.Epoch() && h.from.Sequence() <= after.Sequence()
	return c, missed, complete, true
}

func (h *hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(c)
}

// drop needs the lock.
func (h *hub) drop(c *client) {
	if _, ok := h.clients[c]; ok {
		delete(h.clients, c)
		close(c.gone)
	}
}

// close ends every client; later ones are refused.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for c := range h.clients {
		h.drop(c)
	}
}
