package outbox_test

import (
	"database/sql"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func BenchmarkAppendAndCommit(b *testing.B) {
	for _, e := range engines() {
		b.Run(e.name, func(b *testing.B) {
			_, db := e.fresh(b)
			for i := range b.N {
				e.write(b, db, true, event.Tag(fmt.Sprintf("user:%d", i)))
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkWait is from the commit to the token.
func BenchmarkWait(b *testing.B) {
	for _, e := range engines() {
		b.Run(e.name, func(b *testing.B) {
			_, db := e.fresh(b)
			p := settle(b, connect(b, serve(b)))
			r := start(b, db, p)
			if err := r.Ready(patient(b)); err != nil {
				b.Fatal(err)
			}
			for i := range b.N {
				ticket := e.write(b, db, true, event.Tag(fmt.Sprintf("user:%d", i)))
				if _, err := r.Wait(b.Context(), ticket); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDrain empties a table of 100,000 rows once.
func BenchmarkDrain(b *testing.B) {
	const rows = 100_000
	for _, e := range engines()[:2] {
		for _, subjects := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/subjects=%d", e.name, subjects), func(b *testing.B) {
				var spent time.Duration
				for range b.N {
					_, db := e.fresh(b)
					fill(b, db, rows, subjects)
					p := &alone{settle(b, serverOnTCP(b).dial(b)).Bus}
					began := time.Now()
					r, err := outbox.StartRelay(b.Context(), db, p, outbox.RelayConfig{Logger: slog.New(slog.DiscardHandler)})
					if err != nil {
						b.Fatal(err)
					}
					for count(b, db, "SELECT count(*) FROM (SELECT number FROM lethe_outbox LIMIT 1) AS one") > 0 {
						<-time.After(20 * time.Millisecond)
					}
					spent += time.Since(began)
					if err := r.Close(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(rows*b.N)/spent.Seconds(), "rows/s")
			})
		}
	}
}

// alone is a publisher without anything that a test would count.
type alone struct{ *bus.Bus }

func (a *alone) Stream() (name, epoch string) { return fleet, a.Status().Epoch }

// fill writes rows as Append does, in large transactions.
func fill(b *testing.B, db *sql.DB, rows, subjects int) {
	b.Helper()
	for at := 0; at < rows; at += 1000 {
		tx, err := db.BeginTx(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		events := make([]event.Event, 1000)
		for i := range events {
			events[i].Targets = []event.Target{event.Tag(fmt.Sprintf("f%d:%d", (at+i)%subjects, at+i))}
		}
		for len(events) > 0 { // tickets of one row, as most are
			if _, err := outbox.AppendEvents(b.Context(), tx, events[0]); err != nil {
				b.Fatal(err)
			}
			events = events[1:]
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}
