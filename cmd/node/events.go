package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/tail"
	"github.com/lethe-cache/lethe/pkg/event"
)

const (
	heartbeat  = 15 * time.Second
	sseWrite   = 10 * time.Second // a client that takes no bytes for this long is cut off
	resumeMost = 10_000           // events fetched from the stream for a client that comes back
	resumeTime = 10 * time.Second
)

// streamEvents is /v1/events: every event this node has applied, from now on, or from after Last-Event-ID. What can't be
// said again, because it is too long ago or the stream began anew, is one event of type reset that names everything.
func (a *api) streamEvents(w http.ResponseWriter, r *http.Request) {
	var after event.Token
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		var err error
		if after, err = a.parseToken("Last-Event-ID", id); err != nil {
			writeError(w, err)
			return
		}
	}
	c, missed, complete, ok := a.events.join(after)
	if !ok {
		writeError(w, bad(http.StatusServiceUnavailable, "", "too many clients of /v1/events (%d), or the node is ending", hubClients))
		return
	}
	defer a.events.leave(c)
	s := &sse{w: w, control: http.NewResponseController(w), sent: after}
	w.Header().Set("Content-Type", "text/event-stream")
	if err := s.write(": " + a.node.Status().Name + "\nretry: 1000\n\n"); err != nil {
		return
	}
	if !complete || after.Sequence() > a.node.Position().Sequence() {
		missed = a.fromStream(r.Context(), after, missed)
	}
	for _, t := range missed {
		if err := s.event(t); err != nil {
			return
		}
	}
	a.pump(r.Context(), s, c)
}

func (a *api) pump(ctx context.Context, s *sse, c *client) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-c.gone:
			return
		case t := <-c.queue:
			err = s.event(t)
		case <-beat.C:
			err = s.write(": \n\n")
		}
		if err != nil {
			return
		}
	}
}

// fromStream is what came after the token, read from the stream as far as the ring does not reach; or a reset.
func (a *api) fromStream(ctx context.Context, after event.Token, ring []told) []told {
	ctx, cancel := context.WithTimeout(ctx, resumeTime)
	defer cancel()
	reset := func(reason string) []told {
		return append([]told{a.resetEvent(reason)}, ring...)
	}
	s, err := a.inspect(ctx)
	switch {
	case err != nil:
		return reset("the stream could not be read: " + err.Error())
	case s.Epoch != after.Epoch(), s.Last < after.Sequence():
		return reset("the stream began anew")
	case s.First > after.Sequence()+1:
		return reset("the stream no longer has what came after this id")
	}
	last := s.Last
	if len(ring) > 0 {
		last = min(last, ring[0].token.Sequence()-1)
	}
	if last > after.Sequence() && last-after.Sequence() > resumeMost {
		return reset("too much has come after this id")
	}
	expect := after.Sequence() + 1
	var told []told
	err = tail.Read(ctx, a.conn.Conn, s, expect, last, func(m tail.Message) error {
		if m.Sequence != expect {
			return fmt.Errorf("the stream has a hole at %d", expect)
		}
		expect++
		if m.Sys != "" {
			return nil
		}
		t, err := tell(m.Event)
		told = append(told, t)
		return err
	})
	if err == nil && expect <= last {
		err = fmt.Errorf("the stream ended at %d", expect-1)
	}
	if err != nil {
		return reset(err.Error())
	}
	return append(told, ring...)
}

func (a *api) resetEvent(reason string) told {
	status := a.node.Status()
	t, err := tell(event.Event{
		ID: event.NewID(), Source: "/lethe/" + status.Fleet + "/" + status.Name, Type: event.TypeReset,
		Time: time.Now(), Targets: []event.Target{event.All()}, Reason: reason,
	})
	if err != nil {
		a.logger.Error("a reset event could not be encoded", "error", err)
	}
	return t
}

func tell(e event.Event) (told, error) {
	data, err := json.Marshal(e.CloudEvent())
	return told{e.Token, data}, err
}

// sse writes server-sent events, each within its own deadline instead of the server's.
type sse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	sent    event.Token
}

// event writes t unless it, or a later one, was written before: what is read from the stream and what the hub brings may
// overlap, and the hub may still be bringing what the client has had on another connection. After a reset anything goes.
func (s *sse) event(t told) error {
	if !t.token.IsZero() {
		if t.token.Epoch() == s.sent.Epoch() && t.token.Sequence() <= s.sent.Sequence() {
			return nil
		}
	}
	s.sent = t.token
	id := ""
	if !t.token.IsZero() {
		id = "id: " + t.token.String() + "\n"
	}
	return s.write(id + "data: " + string(t.data) + "\n\n")
}

func (s *sse) write(text string) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(sseWrite)); err != nil {
		return err
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
