package tail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Stream is a fleet's stream as it stands now.
type Stream struct {
	Fleet, Epoch string
	First, Last  uint64
	Silent       bool // it republishes nothing: what comes has to be asked for
}

// Options of Follow.
type Options struct {
	// Since begins with what was stored then or later; zero begins with what comes.
	Since time.Time
	// Stop ends when what is stored now has been seen, instead of waiting for more.
	Stop bool
	// Note is told of what the reader should know: a hole that could not be filled, a stream made anew.
	Note func(text string)
}

// backlog is how many live messages may wait for yield; what is beyond is fetched from the stream later.
const backlog = 4096

// pollEvery is how often a silent stream is asked.
const pollEvery = 500 * time.Millisecond

// Follow calls yield for every message in the order of the stream until ctx ends, or with Stop until the end of what is
// stored. inspect tells where the stream stands. What the live feed loses is fetched, and all of it where the stream republishes
// nothing.
func Follow(ctx context.Context, nc *nats.Conn, inspect func(context.Context) (Stream, error), o Options, yield func(Message) error) error {
	f := follower{nc: nc, inspect: inspect, options: o, yield: yield}
	live := make(chan *nats.Msg, backlog)
	s, err := inspect(ctx)
	if err != nil {
		return err
	}
	if !o.Stop {
		// Before the end is asked for, so that nothing falls between.
		sub, err := nc.ChanSubscribe(event.LiveSubject(s.Fleet, ">"), live)
		if err != nil {
			return err
		}
		defer func() { _ = sub.Unsubscribe() }()
		if err := flush(ctx, nc); err != nil {
			return err
		}
		if s, err = inspect(ctx); err != nil {
			return err
		}
	}
	f.stream, f.next = s, s.Last+1
	if !o.Since.IsZero() {
		f.next = s.First
		if err := f.fill(ctx, Start{Time: o.Since}, s.Last); err != nil {
			return err
		}
	}
	if o.Stop {
		return nil
	}
	return f.follow(ctx, live)
}

// flush returns when the server has heard all that was sent before, within idle.
func flush(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	return nc.FlushWithContext(ctx)
}

type follower struct {
	nc      *nats.Conn
	inspect func(context.Context) (Stream, error)
	options Options
	yield   func(Message) error
	stream  Stream
	next    uint64 // the sequence that comes next; everything below was seen
}

// see yields a message unless it was seen before.
func (f *follower) see(m Message) error {
	if m.Sequence < f.next {
		return nil
	}
	f.next = m.Sequence + 1
	return f.yield(m)
}

// fill fetches from a start up to and including sequence last. A replica may lag: it is asked again for a while.
func (f *follower) fill(ctx context.Context, from Start, last uint64) error {
	const tries = 8
	for pause, try := 10*time.Millisecond, 0; f.next <= last; {
		before := f.next
		more, err := fetch(ctx, f.nc, f.stream, from, f.see)
		if err != nil && !errors.Is(err, errStalled) {
			return err
		}
		if f.next > before {
			from, try = Start{Sequence: f.next}, 0
		}
		if more && err == nil {
			continue
		}
		try++
		if try > tries || !from.Time.IsZero() && err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
			pause *= 2
		}
	}
	if f.next <= last && from.Time.IsZero() {
		f.note(fmt.Sprintf("messages %d to %d could not be read", f.next, last))
	}
	f.next = max(f.next, last+1)
	return nil
}

func (f *follower) follow(ctx context.Context, live <-chan *nats.Msg) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-poll.C:
			if !f.stream.Silent {
				continue
			}
			if err := f.poll(ctx); err != nil {
				return err
			}
		case msg := <-live:
			m := decode(f.stream, msg)
			if m.Sequence == 0 {
				if err := f.yield(m); err != nil {
					return err
				}
				continue
			}
			if err := f.continuity(ctx, m); err != nil {
				return err
			}
			if err := f.see(decode(f.stream, msg)); err != nil {
				return err
			}
		}
	}
}

// Read calls yield for what is stored of s from sequence first up to and including last, in order.
func Read(ctx context.Context, nc *nats.Conn, s Stream, first, last uint64, yield func(Message) error) error {
	f := follower{nc: nc, yield: yield, stream: s, next: first}
	return f.fill(ctx, Start{Sequence: first}, last)
}

// continuity closes a hole before m, and notices a stream that began anew.
func (f *follower) continuity(ctx context.Context, m Message) error {
	switch {
	case m.Sequence > f.next:
		return f.fill(ctx, Start{Sequence: f.next}, m.Sequence-1)
	case m.Sequence < f.next:
		s, err := f.inspect(ctx)
		if err != nil {
			return err
		}
		if s.Epoch != f.stream.Epoch || s.Last < f.next-1 {
			f.note("the stream began anew")
			f.stream, f.next = s, m.Sequence
		}
	}
	return nil
}

// poll fetches what was stored since. Not getting an answer is no end: the next poll asks again.
func (f *follower) poll(ctx context.Context) error {
	ask, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	s, err := f.inspect(ask)
	if err != nil {
		return context.Cause(ctx)
	}
	if s.Epoch != f.stream.Epoch || s.Last < f.next-1 {
		f.note("the stream began anew")
		f.next = s.First
	}
	f.stream = s
	return f.fill(ctx, Start{Sequence: f.next}, s.Last)
}

func (f *follower) note(text string) {
	if f.options.Note != nil {
		f.options.Note(text)
	}
}
