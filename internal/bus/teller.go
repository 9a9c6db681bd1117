package bus

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// A PublishOnly bus follows nothing. It has to know the stream's epoch, for its tokens, and the highest number it has seen,
// to notice a stream that is not the one it knows.

// learn asks for the stream on a new connection, until there is an answer.
func (b *Bus) learn() {
	online, ensure, seen := b.loop.online, !b.cfg.External, b.board.look().Known
	b.wg.Go(func() {
		for {
			in, err := b.learnOnce(online, ensure, seen)
			b.why.set(areaStream, err)
			if err == nil {
				b.tell(func(int64) { b.know(in) })
				return
			}
			b.board.poke()
			select {
			case <-online.Done():
				return
			case <-time.After(100*time.Millisecond + rand.N(400*time.Millisecond)): //nolint:gosec // jitter is no secret
			}
		}
	})
}

func (b *Bus) learnOnce(ctx context.Context, ensure bool, seen uint64) (cursor.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	return b.info(ctx, ensure, seen)
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
		if b.loop.conn != 0 {
			b.learn()
		}
		return
	}
	if v := b.board.look(); a.Sequence > v.Known {
		v.Known = a.Sequence
		b.board.show(v)
	}
}
