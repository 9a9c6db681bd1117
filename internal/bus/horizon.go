package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// The serve horizon is how long a node may serve what it has without renewing its lease: MaxStaleness and the longest
// ServeStale. The fleet's longest stands in the stream's metadata, so that who knows nobody knows how long to wait.

// metadataHorizon is where it stands, a duration like "30s". Where it is missing it is defaultHorizon.
const (
	metadataHorizon = "lethe-horizon"
	defaultHorizon  = 10 * time.Second
)

// horizonOf reads it. What can't be read promises nothing, and is raised.
func horizonOf(metadata map[string]string) time.Duration {
	text, ok := metadata[metadataHorizon]
	if !ok {
		return defaultHorizon
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0
	}
	return d
}

// horizon is what a bus knows of it, and of what depends on it.
type horizon struct {
	seen    atomic.Int64  // the fleet's longest, as last seen
	said    atomic.Bool   // that ServeStale is cut short
	greeted atomic.Uint64 // the last connection on which the others were told of this node
	muted   atomic.Bool   // the server refuses the node's presence; until the next connection
	silence atomic.Pointer[silence]
}

// look asks for the stream, at the moment asked; what keeps the fleet from working is an error.
func (b *Bus) look(ctx context.Context) (s StreamInfo, asked int64, err error) {
	asked = b.cfg.Now()
	s, err = inspect(ctx, b.nc, b.cfg.Fleet, b.request)
	if err != nil {
		return s, asked, err
	}
	if !s.byLeader() {
		return s, asked, fmt.Errorf("stream %s: %w", s.Name, errNotLeader)
	}
	if !b.cfg.republish() {
		s = s.silent()
	}
	return s, asked, s.Fatal()
}

var errNotLeader = errors.New("a server has answered that does not lead it; the leader's word is needed")

// raised is look that sees to it that the stream's horizon is at least this node's, before the node serves that long.
//
// Where the stream is provisioned elsewhere the horizon has to be there already: for MaxStaleness, or the node gets no lease;
// for ServeStale, or that is cut short. Two nodes that raise it at once may overwrite each other. Both look at it with every
// probe, and what is no longer there is no longer used: that leaves at most MaxStaleness/4.
func (b *Bus) raised(ctx context.Context) (s StreamInfo, asked int64, err error) {
	s, asked, err = b.look(ctx)
	want := b.horizonWanted()
	if err != nil || s.Horizon >= want {
		return s, asked, err
	}
	if b.cfg.External {
		err = fmt.Errorf("stream %s: metadata.%s is %v, this node may serve for %v without the bus: set it where the stream is provisioned",
			s.Name, metadataHorizon, s.Horizon, want)
		if s.Horizon < b.cfg.MaxStaleness {
			return s, asked, err
		}
		if b.horizon.said.CompareAndSwap(false, true) {
			b.cfg.Logger.Warn("ServeStale is cut short", "reason", err)
		}
		return s, asked, nil
	}
	raised := s.Config
	raised.Metadata = maps.Clone(raised.Metadata)
	raised.Metadata[metadataHorizon] = want.String()
	if err := update(ctx, b.nc, s.raw, s.Config, raised, b.request); err != nil {
		return s, asked, fmt.Errorf("to raise metadata.%s to %v: %w", metadataHorizon, want, err)
	}
	return b.look(ctx)
}

func (b *Bus) horizonWanted() time.Duration {
	want := b.cfg.MaxStaleness
	if b.cfg.PublishOnly {
		return 0
	}
	if b.cfg.Horizon != nil {
		want = max(want, b.cfg.Horizon())
	}
	return want
}

// Horizon is the fleet's longest serve horizon as last seen in the stream's metadata; 0 before the first answer.
func (b *Bus) Horizon() time.Duration { return time.Duration(b.horizon.seen.Load()) }

// Longest asks the stream for the fleet's longest serve horizon.
func (b *Bus) Longest(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	s, err := inspect(ctx, b.nc, b.cfg.Fleet, b.request)
	if err == nil && !s.byLeader() {
		err = errNotLeader
	}
	return s.Horizon, err
}

// Renew has the stream looked at soon, because Config.Horizon has grown. Where the bus holds a lease it returns when the stream
// tells of it, or when ctx ends.
func (b *Bus) Renew(ctx context.Context) {
	b.want()
	for {
		v, changed := b.board.watch()
		if v.End <= b.cfg.Now() || b.Horizon() >= b.horizonWanted() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		case <-b.life.Done():
			return
		}
	}
}

// silence is whether the stream had been silent for longer than the fleet's horizon when it was first seen on a connection:
// then no lease of before is left.
type silence struct {
	conn  uint64
	quiet bool
}

// Quiet says so; known: the stream was seen on this connection.
func (b *Bus) Quiet() (quiet, known bool) {
	s := b.horizon.silence.Load()
	return s != nil && s.quiet, s != nil && s.conn == connNumber(b.nc)
}

// listen notes the silence, the first time on a connection. The server's clock is compared with itself.
func (b *Bus) listen(conn uint64, s StreamInfo) {
	if b.horizon.seen.Swap(int64(s.Horizon)) != int64(s.Horizon) {
		b.board.poke()
	}
	if old := b.horizon.silence.Load(); old != nil && old.conn == conn {
		return
	}
	quiet := s.State.Msgs == 0 || !s.Now.IsZero() && s.Now.Sub(s.State.LastTime) > s.Horizon+quietSlack
	b.horizon.silence.Store(&silence{conn, quiet})
}

// quietSlack is for what was stored and not yet delivered, and for clocks of servers in a cluster.
const quietSlack = 2 * time.Second

// greet tells the others of this node before anything may be stored, once on each connection, whose round trip follows.
func (b *Bus) greet() {
	conn := connNumber(b.nc)
	if b.cfg.Greet == nil || b.horizon.greeted.Swap(conn) == conn {
		return
	}
	if b.horizon.muted.Swap(false) {
		b.why.set(areaPresence, nil)
	}
	b.cfg.Greet()
}

// forbidden hears of a publish that the server refused. A node that may not tell of itself may not serve: nobody would wait
// for it.
func (b *Bus) forbidden(subject string, err error) {
	b.refused("publish", subject)
	if b.cfg.Greet == nil || subject != event.CtlSubject(b.cfg.Fleet, "presence."+b.cfg.Name) {
		return
	}
	b.horizon.muted.Store(true)
	b.why.set(areaPresence, err)
	b.tell(func(int64) { b.cfg.Handler.Lease(0) })
	b.board.poke()
}
