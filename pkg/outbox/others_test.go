package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// writeAll commits rows in one transaction, in their order.
func writeAll(t *testing.T, e engine, dsn string, events ...event.Event) {
	t.Helper()
	db := openWith(t, map[string]string{"SQLite": "sqlite", "PostgreSQL": "pgx", "pgx": "pgx"}[e.name], dsn)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for part := range slices.Chunk(events, 100) {
		if _, err := outbox.AppendEvents(t.Context(), tx, part...); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func tagged(format string, n int) (all []event.Event) {
	for i := range n {
		all = append(all, event.Event{Targets: []event.Target{event.Tag(fmt.Sprintf(format, i))}})
	}
	return all
}

func TestALongRowOfOneSubjectDoesNotHoldUpOthersHoweverManyTheyAre(t *testing.T) {
	const (
		long     = 1600 // many batches
		subjects = 40   // more than one round looks at
		each     = 50   // more rows than go while those of the first subject do
		round    = 512  // at most
	)
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		rows := tagged("user:%d", long)
		want := map[string][]string{"user": nil}
		for i := range subjects {
			rows = append(rows, tagged(fmt.Sprintf("order%d:%%d", i), each)...)
		}
		for _, row := range rows {
			family, _, _ := strings.Cut(row.Targets[0].Name(), ":")
			want[family] = append(want[family], row.Targets[0].Name())
		}
		writeAll(t, e, dsn, rows...)
		p := settle(t, connect(t, serve(t)))
		drained(t, start(t, db, p))
		got := map[string][]string{}
		for i, one := range heard(t, p.nc) {
			family, _, _ := strings.Cut(one.Targets[0].Name(), ":")
			if got[family] == nil && i > 3*round {
				t.Errorf("the first row of %s came behind %d others", family, i)
			}
			got[family] = append(got[family], one.Targets[0].Name())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// leisurely takes its time for each event.
type leisurely struct{ to *stream }

func (l leisurely) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	select {
	case <-ctx.Done():
		return event.Token{}, ctx.Err()
	case <-time.After(40 * time.Millisecond):
		return l.to.store(nil, events[0]), nil
	}
}

func TestARowGoesWithinAFractionOfASecondWhileALongRowOfAnotherSubjectIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t, 1, false)
		for _, p := range m.roads { // relays of another kind take their place
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		}
		write := func(events ...event.Event) {
			tx, err := m.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			if _, err := outbox.AppendEvents(t.Context(), tx, events...); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		write(tagged("user:%d", 500)...)
		r := start(t, m.db, leisurely{m.to})
		for i := range 5 {
			m.pass(1300 * time.Millisecond)
			write(tagged(fmt.Sprintf("order:%d-%%d", i), 1)...)
			r.Wake()
			m.pass(500 * time.Millisecond)
			m.to.mu.Lock()
			if _, done := m.to.stored[fmt.Sprintf("order:%d-0", i)]; !done {
				t.Errorf("row %d of another subject has waited for half a second behind %d", i, len(m.to.order))
			}
			m.to.mu.Unlock()
		}
		closed(t, r)
	})
}

// The lane of a kind has three subjects, and is read from behind the batch a few rows of each at a time.
func TestALaneOfSeveralSubjectsKeepsItsOrderBehindALongRow(t *testing.T) {
	const changes = 60
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		events := tagged("user:%d", 1000)
		var want []string
		for i := range changes {
			m := event.Event{Type: event.TypeManifestApplied, Manifest: &event.Manifest{Kind: "Chatbot", Namespace: "acme", Name: "helper", Action: "configured"}}
			if i%12 == 11 { // many of one subject to one of another
				m.Type, m.Manifest.Action = event.TypeManifestDeleted, "deleted"
			}
			m.Manifest.ResourceVersion = fmt.Sprint(i)
			m.Targets = []event.Target{event.Tag("chatbot:acme/helper")}
			events = append(events, m)
			want = append(want, fmt.Sprint(i))
		}
		writeAll(t, e, dsn, events...)
		p := settle(t, connect(t, serve(t)))
		drained(t, start(t, db, p))
		var got []string
		behind := 0
		for i, one := range heard(t, p.nc) {
			if one.Manifest != nil {
				got = append(got, one.Manifest.ResourceVersion)
				if len(got) == 1 {
					behind = i
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if behind > 2*256 {
			t.Errorf("its first row came behind %d others", behind)
		}
	})
}
