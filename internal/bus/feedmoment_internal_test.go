package bus

import (
	"context"
	"runtime"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
)

// A callback that takes long must not make what waits behind it look as if it had come when it was called back for.
func TestWhatWaitsBehindASlowCallbackIsNotTakenForFresh(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	srv, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	nc, err := srv.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()

	var clock int64 // of the callback alone
	came := moments{now: func() int64 { return clock }}
	type message struct{ at, left int64 }
	heard := make(chan message, 16)
	publish, published := make(chan int), make(chan struct{})
	// Each callback lets 100 pass. While the first, the third and the sixth are at work, others arrive.
	arrive := map[int]int{1: 2, 3: 3, 6: 1}
	count := 0
	sub, err := nc.Subscribe("x", func(m *nats.Msg) {
		count++
		at := came.begin()
		if n := arrive[count]; n > 0 {
			publish <- n
			<-published
		}
		clock += 100
		heard <- message{at, int64(came.left)}
		came.end(m.Sub)
	})
	if err != nil {
		t.Fatal(err)
	}
	send := func(n int) {
		before := waiting(sub)
		for range n {
			if err := nc.Publish("x", []byte("x")); err != nil {
				t.Error(err)
			}
		}
		for waiting(sub) < before+uint64(n) && ctx.Err() == nil {
			runtime.Gosched()
		}
	}
	go send(1)
	// 1 comes at 0; 2 and 3 come while it is dealt with, 4 to 6 while 3 is, 7 while 6 is.
	want := []int64{0, 0, 0, 100, 100, 100, 300}
	for i, w := range want {
		for {
			select {
			case n := <-publish:
				send(n)
				published <- struct{}{}
				continue
			case m := <-heard:
				if m.at != w {
					t.Errorf("message %d is said to have come at %d, want %d", i+1, m.at, w)
				}
			case <-ctx.Done():
				t.Fatalf("message %d did not arrive", i+1)
			}
			break
		}
	}
}
