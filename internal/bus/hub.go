package bus

import (
	"errors"
	"reflect"
	"sync"

	"github.com/nats-io/nats.go"
)

// hub is the one error handler that the buses of a connection share. A handler in front of another can only be taken out again while
// it is the foremost, so each bus must not have its own.
type hub struct {
	nc     *nats.Conn
	ours   nats.ErrHandler // the one that was set
	before nats.ErrHandler // the one that was there, which goes on hearing everything

	mu    sync.Mutex // guards hears
	hears map[*permissions]struct{}
}

// hubs are those in use: one a connection that has open buses.
//
//nolint:gochecknoglobals // a connection has one error handler, whatever opens buses on it; an entry goes with its last bus
var hubs = struct {
	sync.Mutex // guards of, and orders joining and leaving
	of         map[*nats.Conn]*hub
}{of: make(map[*nats.Conn]*hub)}

// joinHub has p hear what the server refuses on nc, until the returned function is called.
func joinHub(nc *nats.Conn, p *permissions) (leave func()) {
	hubs.Lock()
	defer hubs.Unlock()
	h := hubs.of[nc]
	if h == nil || !h.foremost() { // somebody has set another handler since, and need not call ours
		h = &hub{nc: nc, before: nc.ErrorHandler(), hears: make(map[*permissions]struct{})}
		h.ours = h.handler()
		nc.SetErrorHandler(h.ours)
		hubs.of[nc] = h
	}
	h.mu.Lock()
	h.hears[p] = struct{}{}
	h.mu.Unlock()
	return func() { h.leave(p) }
}

// leave takes p out, and with the last one the handler, if it is still the foremost.
func (h *hub) leave(p *permissions) {
	hubs.Lock()
	defer hubs.Unlock()
	h.mu.Lock()
	delete(h.hears, p)
	left := len(h.hears)
	h.mu.Unlock()
	if left > 0 || hubs.of[h.nc] != h {
		return
	}
	delete(hubs.of, h.nc)
	if h.foremost() {
		h.nc.SetErrorHandler(h.before)
	}
}

func (h *hub) handler() nats.ErrHandler {
	return func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			h.hear(err)
		}
		if h.before != nil {
			h.before(nc, sub, err)
		}
	}
}

func (h *hub) hear(err error) {
	h.mu.Lock()
	all := make([]*permissions, 0, len(h.hears))
	for p := range h.hears {
		all = append(all, p)
	}
	h.mu.Unlock()
	for _, p := range all {
		p.hear(err)
	}
}

// foremost says whether the connection's handler is still one of handler's: there is one hub a connection.
func (h *hub) foremost() bool {
	now := h.nc.ErrorHandler()
	return now != nil && reflect.ValueOf(now).Pointer() == reflect.ValueOf(h.ours).Pointer()
}
