package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/internal/cursor"
	"github.com/lethe-cache/lethe/pkg/event"
)

// How long an event gets to arrive by itself before the leader is asked for proof, and how often the asking is repeated.
const (
	wantAfter = 200 * time.Millisecond
	wantEvery = time.Second
)

// Position is the token of the last event that was applied without a hole; the zero Token before the first answer of the
// stream, and while a Reset waits for it.
func (b *Bus) Position() event.Token {
	v := b.board.look()
	if !v.Standing || b.cfg.PublishOnly {
		return event.Token{}
	}
	return event.NewToken(b.cfg.Fleet, v.Epoch, v.Cursor)
}

// Reached says whether t is applied, as far as is known without asking: no I/O, no waiting.
func (b *Bus) Reached(t event.Token) bool {
	if t.IsZero() {
		return true
	}
	v := b.board.look()
	return v.Sure && t.Fleet() == b.cfg.Fleet && t.Epoch() == v.Epoch && t.Sequence() <= v.Cursor && !b.cfg.PublishOnly
}

// Wait returns when t is applied. A token of another epoch is past once a lease shows the present one as of a moment after
// the call: having left an epoch proves nothing, its publisher may not have known. A token beyond the stream's end is
// event.ErrInvalid once such a lease shows the end; so is one of another fleet. PublishOnly, or a connection that has given up:
// ErrNotReady.
func (b *Bus) Wait(ctx context.Context, t event.Token) error {
	if t.IsZero() {
		return nil
	}
	if t.Fleet() != b.cfg.Fleet {
		return fmt.Errorf("token: it is of the fleet %q, this node is of %q: %w", t.Fleet(), b.cfg.Fleet, event.ErrInvalid)
	}
	if b.cfg.PublishOnly {
		return fmt.Errorf("%w: a node that only publishes applies nothing it could wait for", ErrNotReady)
	}
	asked := b.cfg.Now()
	timer := time.NewTimer(wantAfter)
	defer timer.Stop()
	for {
		v, changed := b.board.watch()
		if done, err := judgeToken(v, t, asked); done {
			return err
		}
		if b.nc.IsClosed() {
			return fmt.Errorf("wait for %s: at %s: %w", t, b.Position(), notReady(errGaveUp))
		}
		select {
		case <-changed:
		case <-timer.C:
			b.want()
			timer.Reset(wantEvery)
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: at %s: %w", t, b.Position(), ctx.Err())
		case <-b.life.Done():
			return ErrClosed
		}
	}
}

// judgeToken says whether v settles the question that was asked at the moment asked. A number is worth something only in the
// stream it is of: until the node has seen, on this connection, that its stream is the one it knows, a server that was restored
// from an older store may have given the number to another event, in the same epoch.
func judgeToken(v cursor.View, t event.Token, asked int64) (done bool, err error) {
	proof := v.AsOf > asked
	switch {
	case !v.Sure:
		return false, nil
	case t.Epoch() != v.Epoch:
		return proof, nil
	case t.Sequence() <= v.Cursor:
		return true, nil
	case proof:
		return true, fmt.Errorf("token %s: the stream ends at %d: %w", t, v.Cursor, event.ErrInvalid)
	}
	return false, nil
}

// want asks the loop for proof; all who ask share it.
func (b *Bus) want() {
	select {
	case b.wants <- struct{}{}:
	default:
	}
}
