package bus

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/lethe-cache/lethe/internal/cursor"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds in time of what the Follower asks for.
const (
	pingFor  = 3 * time.Second // a consumer may have to be made first
	askFor   = 3 * time.Second
	fetchFor = 5 * time.Second
	tickFor  = 2 * time.Second
)

func wallNow() int64 { return time.Now().UnixNano() }

// do performs Actions in order. What takes time runs beside the loop, which hears of its end.
func (b *Bus) do(as []cursor.Action) {
	for len(as) > 0 {
		a := as[0]
		as = as[1:]
		switch a.Do {
		case cursor.Fence:
			b.cfg.Handler.FenceAll()
		case cursor.Grant:
			if b.horizon.muted.Load() {
				a.End = 0
			}
			b.cfg.Handler.Lease(a.End)
		case cursor.Done:
			b.resetDone(a.Cause)
		case cursor.Ping:
			seen := b.loop.follower.View().Known
			b.beside(pingFor, func(ctx context.Context) { b.ping(ctx, a.ID, seen) })
		case cursor.Ask:
			ensure := b.loop.ensure && !b.cfg.External
			seen := b.loop.follower.View().Known
			b.beside(askFor, func(ctx context.Context) { b.ask(ctx, a.ID, ensure, seen) })
		case cursor.Fetch:
			b.beside(fetchFor, func(ctx context.Context) { b.fetch(ctx, a) })
		case cursor.Tick:
			m, id := b.tickMessage(a)
			ticket := b.loop.follower.View().Sending(b.cfg.Now())
			b.beside(tickFor, func(ctx context.Context) { b.tick(ctx, a.ID, m, id, ticket) })
		}
	}
}

// beside runs job with the connection's life, at most for d. There is one of each kind at a time.
func (b *Bus) beside(d time.Duration, job func(context.Context)) {
	online := b.loop.online
	if online == nil {
		online = b.life
	}
	b.running.begin(func() {
		ctx, cancel := context.WithTimeout(online, d)
		defer cancel()
		job(ctx)
	})
}

func (b *Bus) resetDone(cause cursor.Cause) {
	b.echoes.forget()
	b.counts.reset(string(cause))
	v := b.loop.follower.View()
	if cause == cursor.Start {
		b.cfg.Logger.Info("following the stream", "stream", b.stream, "epoch", v.Epoch, "position", v.Cursor)
	} else {
		b.cfg.Logger.Warn("continuity was lost: everything is forgotten", b.resetFields(cause, v)...)
	}
	b.loop.senders.forget()
	b.board.show(v)
	b.cfg.Handler.ResetDone(string(cause))
	b.loop.passed, b.loop.since = 0, b.cfg.Now()
	b.passed(v)
}

// resetFields are the fields of the log line about a Reset.
func (b *Bus) resetFields(cause cursor.Cause, v cursor.View) []any {
	fields := []any{
		"event", "reset", "cause", string(cause), "meaning", meanings[cause], "stream", b.stream, "epoch", v.Epoch,
		"from", b.loop.passed, "to", v.Cursor,
	}
	if source, sent, all := b.loop.senders.most(); cause == cursor.Backlog && all > 0 {
		fields = append(fields, "source", source, "sent", sent, "of", all)
	}
	return fields
}

//nolint:gochecknoglobals // a constant table
var meanings = map[cursor.Cause]string{
	cursor.Epoch:    "the stream was made anew",
	cursor.Reused:   "the stream gave a number to another message: it has lost its tail",
	cursor.Back:     "the stream's numbers went back: it has lost its tail",
	cursor.Head:     "the stream no longer keeps what comes after this node's position",
	cursor.Hole:     "a message was taken out of the stream",
	cursor.Backlog:  "this node is too far behind, and does not gain on the stream",
	cursor.LostTold: "another node has seen that the stream lost its tail",
}

func (b *Bus) ping(ctx context.Context, id, seen uint64) {
	err := b.arm(ctx, seen)
	b.greet()
	if err == nil {
		err = b.nc.FlushWithContext(ctx)
	}
	mark := b.feed.Mark()
	b.tell(func(now int64) { b.do(b.loop.follower.Pong(id, mark, err == nil, now)) }) //nolint:contextcheck // what the loop begins lives as long as the connection, not as this job
}

// arm makes the feed hear before the round trip that proves it. A consumer needs its stream, which is otherwise made when it
// is asked for, later; seen is the highest sequence known.
func (b *Bus) arm(ctx context.Context, seen uint64) error {
	err := b.feed.Arm(ctx)
	if errors.Is(err, ErrNoStream) && !b.cfg.External {
		if _, err = ensureStream(ctx, b, seen); err == nil {
			err = b.feed.Arm(ctx)
		}
	}
	if b.cfg.Consumer && !errors.Is(err, context.Canceled) {
		b.told(err)
	}
	return err
}

func (b *Bus) ask(ctx context.Context, id uint64, ensure bool, seen uint64) {
	info, err := b.info(ctx, ensure, seen)
	b.why.set(areaStream, err)
	b.tell(func(now int64) { //nolint:contextcheck // what the loop begins lives as long as the connection, not as this job
		b.loop.ensure = err != nil || b.loop.ensure && !ensure && !b.cfg.External
		b.do(b.loop.follower.Answered(id, info, err == nil, now))
		if err == nil {
			b.tryFetch(info.First, info.Last)
		}
	})
}

// info is the leader's word. Where the stream has to be looked at first, that is done first, so that the moment of the
// question is as late as it can be.
func (b *Bus) info(ctx context.Context, ensure bool, seen uint64) (cursor.Info, error) {
	if err := checkServer(b.nc); err != nil {
		return cursor.Info{}, err
	}
	if ensure {
		if _, err := ensureStream(ctx, b, seen); err != nil {
			return cursor.Info{}, err
		}
	}
	conn := connNumber(b.nc)
	s, asked, err := b.raised(ctx)
	if err != nil {
		return cursor.Info{}, err
	}
	b.listen(conn, s)
	if !s.Now.IsZero() {
		b.clock.Store(asked - s.Now.UnixNano())
	}
	in := cursor.Info{Epoch: s.Epoch, First: s.First, Last: s.Last, Asked: asked, At: b.cfg.Now()}
	if !s.LastTime.IsZero() {
		in.LastTime = s.LastTime.UnixNano()
	}
	return in, nil
}

func ensureStream(ctx context.Context, b *Bus, seen uint64) (StreamInfo, error) {
	o := EnsureOptions{Replicas: b.cfg.Replicas, Seen: seen, Consumer: b.cfg.Consumer, mended: b.mended}
	return ensure(ctx, b.nc, b.cfg.Fleet, o, b.request)
}

// mended tells of a field of the stream's configuration that this node has put right.
func (b *Bus) mended(p Problem) {
	b.counts.mended.Add(1)
	b.cfg.Logger.Warn("the stream's configuration was not as it has to be, and is mended", "event", "stream_mended",
		"field", p.Field, "was", p.Is, "is", p.Want)
}

// tickMessage is what keeps the stream from falling silent. The id that all nodes share in a second is thrift: the server
// keeps the first and drops the others.
func (b *Bus) tickMessage(a cursor.Action) (m event.Message, msgID string) {
	now := time.Now()
	id, sys := event.NewID(), event.SysTick
	msgID = id
	if !a.Fresh {
		msgID = "tick-" + strconv.FormatInt(now.UnixNano()/int64(tick), 10)
	}
	if a.Lost {
		sys = event.SysLost
		b.loop.lost = id
	}
	return event.EncodeSys(b.cfg.Fleet, sys, b.cfg.Source, b.cfg.Name, id, now), msgID
}

func (b *Bus) tick(ctx context.Context, id uint64, m event.Message, msgID string, t cursor.Ticket) {
	ack, err := b.send(ctx, m, msgID, tickFor)
	if err != nil {
		b.why.set(areaTick, tickError(err))
	} else {
		b.why.set(areaTick, nil)
	}
	b.tell(func(now int64) { b.do(b.loop.follower.Ticked(id, t, ack.Sequence, ack.Duplicate, err == nil, now)) }) //nolint:contextcheck // what the loop begins lives as long as the connection, not as this job
}
