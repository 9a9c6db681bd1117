package tail

import (
	"context"
	"errors"
	"testing"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

func TestFollowAsksAStreamThatRepublishesNothing(t *testing.T) {
	t.Parallel()
	l := newLog(t)
	if _, err := l.conn.Request("$JS.API.STREAM.DELETE."+event.StreamName("shop"), nil, patience); err != nil {
		t.Fatal(err)
	}
	began := make(chan struct{})
	remake := func() {
		if _, err := bus.Ensure(t.Context(), l.conn, "shop", bus.EnsureOptions{Consumer: true}); err != nil {
			t.Error(err)
		}
	}
	remake()
	inspected := 0
	inspect := func(ctx context.Context) (Stream, error) {
		inspected++
		if inspected == 2 {
			close(began)
		}
		return Inspect(ctx, l.conn, "shop")
	}
	go func() {
		<-began
		l.store(0, 300)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []string
	var last uint64
	notes := 0
	err := Follow(ctx, l.conn, inspect, Options{Note: func(string) { notes++ }}, func(m Message) error {
		if len(got) == 300 && m.Sequence == last+1 {
			t.Errorf("%v belongs to the new stream, %d to the old", m.Targets, m.Sequence)
		}
		last = m.Sequence
		got = append(got, m.Targets[0].Name())
		switch len(got) {
		case 300: // and then it is made anew
			if _, err := l.conn.Request("$JS.API.STREAM.DELETE."+event.StreamName("shop"), nil, patience); err != nil {
				return err
			}
			remake()
			l.store(0, 2)
		case 302:
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || notes != 1 {
		t.Fatalf("%d messages, %d notes: %v", len(got), notes, err)
	}
	if got[0] != "n:0" || got[299] != "n:299" || got[300] != "n:0" || got[301] != "n:1" {
		t.Errorf("%v … %v", got[:2], got[298:])
	}
}
