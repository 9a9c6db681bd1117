package outbox

import (
	"context"
	"database/sql"
	"log/slog"
	"time"
)

// Times are those of a relay, Hooks its steps; zero keeps the default.
type (
	Times struct{ Look, Beat, Fresh, Silent, Lapse, Parked, Backoff, Grace, Answer, Listen time.Duration }
	Hooks struct {
		Beat, Published, Settled func()
		Seed                     uint64 // of the pauses
	}
)

// StartRelayWith is StartRelay with other times, and with steps that can be stopped at.
func StartRelayWith(ctx context.Context, db *sql.DB, p Publisher, cfg RelayConfig, t Times, h Hooks) (*Relay, error) {
	own := defaults()
	for _, c := range []struct {
		to   *time.Duration
		want time.Duration
	}{
		{&own.look, t.Look},
		{&own.beat, t.Beat},
		{&own.fresh, t.Fresh},
		{&own.silent, t.Silent},
		{&own.lapse, t.Lapse},
		{&own.parked, t.Parked},
		{&own.backoff, t.Backoff},
		{&own.grace, t.Grace},
		{&own.answer, t.Answer},
		{&own.listen, t.Listen},
	} {
		if c.want != 0 {
			*c.to = c.want
		}
	}
	return startRelay(ctx, db, p, cfg, own, hooks{beat: h.Beat, published: h.Published, settled: h.Settled, seed: h.Seed})
}

// IDsOf are the ids of a ticket's rows.
func IDsOf(t Ticket) []string { return t.ids() }

// Log is where the relay logs.
func (r *Relay) Log() *slog.Logger { return r.log }
