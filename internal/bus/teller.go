package bus

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// A PublishOnly bus follows nothing. It has to know the stream's epoch, for its tokens, and the highest number it has seen,
// to notice a stream that is not the one it knows.

// learnEvery is how often it asks, about: a stream that was made anew has other numbers, and its acks are as good as any.
const learnEvery = 5 * time.Second

// learn asks for the stream on a new connection until there is an answer, and then again and again.
func (b *Bus) learn() {
	online := b.loop.online
	b.running.begin(func() {
		for {
			in, err := b.learnOnce(online)
			b.why.set(areaStream, err)
			pause := 100*time.Millisecond + rand.N(400*time.Millisecond) //nolint:gosec // jitter is no secret
			if err == nil {
				b.tell(func(int64) { b.know(in) })
				pause = learnEvery/2 + rand.N(learnEvery) //nolint:gosec // jitter is no secret
			} else {
				b.board.poke()
			}
			select {
			case <-online.Done():
				return
			case <-b.doubts:
			case <-time.After(pause):
			}
		}
	})
}

// doubt makes a PublishOnly bus ask at once.
func (b *Bus) doubt() {
	select {
	case b.doubts <- struct{}{}:
	default: // it is about to
	}
}

// learnOnce asks for the stream as it is: a publisher neither makes nor changes one.
func (b *Bus) learnOnce(ctx context.Context) (cursor.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	in, err := b.info(ctx, false, 0)
	return in, b.noStream(ctx, err)
}

// know takes the leader's word. Of another epoch nothing older is kept.
func (b *Bus) know(in cursor.Info) {
	v := b.board.look()
	if v.Epoch == in.Epoch {
		in.Last = max(in.Last, v.Known)
	}
	b.board.show(cursor.View{Epoch: in.Epoch, Known: in.Last, Ready: true})
}

// stored takes an ack. One that is doubtful sends it to the leader again.
func (b *Bus) stored(t cursor.Ticket, a ack) {
	if !a.Duplicate && a.Sequence <= t.Known() {
		v := b.board.look()
		if v.Epoch == "" {
			return // it is asked already
		}
		b.board.show(cursor.View{Known: v.Known}) // no epoch, no token, until it was read again
		b.doubt()
		return
	}
	if v := b.board.look(); a.Sequence > v.Known {
		v.Known = a.Sequence
		b.board.show(v)
	}
}
