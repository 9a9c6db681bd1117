package bus

import (
	"log/slog"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/embedded"
)

// What a consumer brings late must prove no more than what it would have proved in time.
func TestAnArrivalByConsumerCountsFromWhenItWasStored(t *testing.T) {
	t.Parallel()
	const clock = -1_000_000 // the server's clock is ahead by so much
	at := func(server int64) time.Time { return time.Unix(0, server) }
	for _, c := range []struct {
		name            string
		consumer        bool
		clock, since    int64
		stored, arrived int64
		want            int64
	}{
		{"republished", false, clock, 0, 1_005_000, 9_000, 9_000},
		{"prompt", true, clock, 0, 1_008_999, 9_000, 8_999},
		{"late", true, clock, 0, 1_005_000, 9_000, 5_000},
		{"the server's clock has jumped ahead", true, clock, 0, 7_000_000, 9_000, 9_000},
		{"the server's clock has jumped back", true, clock, 2_000, 5_000, 9_000, 2_001},
		{"the clocks were never compared", true, 0, 2_000, 1_008_999, 9_000, 2_001},
		{"stored before the answer of the last Reset, or so it seems", true, clock, 8_000, 1_007_990, 9_000, 8_001},
		{"arrived before the last Reset was done", true, clock, 8_000, 1_006_000, 7_000, 7_000},
	} {
		b := &Bus{cfg: Config{Consumer: c.consumer}}
		b.clock.Store(c.clock)
		b.loop.since = c.since
		if got := b.credit(Arrival{At: c.arrived, Stamp: Stamp{Sequence: 1, Time: at(c.stored)}}); got != c.want {
			t.Errorf("%s: counts from %d, want %d", c.name, got, c.want)
		}
	}
}

// deafest is a Handler for a bus whose clock is looked at.
type deafest struct{}

func (deafest) Apply(*Delivery)  {}
func (deafest) FenceAll()        {}
func (deafest) ResetDone(string) {}
func (deafest) Passed(uint64)    {}
func (deafest) Lease(int64)      {}

func TestTheLeadersClockIsNeverTakenForLaterThanItIs(t *testing.T) {
	t.Parallel()
	srv, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	nc, err := srv.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	base := time.Now()
	now := func() int64 { return int64(time.Since(base)) + 1 }
	b, err := Open(t.Context(), Config{
		Conn: nc, Fleet: "shop", Name: "n", Source: "/lethe/shop/n", Handler: deafest{}, Consumer: true,
		Now: now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if err := b.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	true0 := now() - time.Now().UnixNano() // the same clocks, in one process
	const slew = int64(5 * time.Millisecond)
	if got := b.clock.Load(); got > true0+slew || got < true0-int64(askFor) {
		t.Errorf("the leader's time is off by %v", time.Duration(got-true0))
	}
}
