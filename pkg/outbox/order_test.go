package outbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func TestOrderIsThatOfTheDatabaseWhateverTheClocksSay(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		var want []string
		for i := range 300 { // more than a batch
			tag := fmt.Sprintf("user:%d", i)
			e.write(t, db, true, event.Tag(tag))
			want = append(want, "[tag/"+tag+"]")
			skew := time.Duration(i%7-3) * 5 * time.Second
			run(t, db, "UPDATE lethe_outbox SET id = $1 WHERE number = (SELECT max(number) FROM lethe_outbox)", idAt(time.Now().Add(skew)))
		}
		p := settle(t, connect(t, serve(t)))
		drained(t, start(t, db, p))
		if diff := cmp.Diff(want, said(t, p.nc)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWhatBecomesOfAnObjectIsAnnouncedInOrderThoughOnSeveralSubjects(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		var want []string
		for i := range 100 {
			m := event.Event{Type: event.TypeManifestApplied, Manifest: &event.Manifest{Kind: "Chatbot", Namespace: "acme", Name: "helper", Action: "created"}}
			if i%2 == 1 {
				m.Type, m.Manifest.Action = event.TypeManifestDeleted, "deleted"
			}
			m.Manifest.ResourceVersion = fmt.Sprint(i)
			m.Targets = []event.Target{event.Tag("chatbot:acme/helper")}
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := outbox.AppendEvents(t.Context(), tx, m); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			want = append(want, m.Manifest.Action+" "+m.Manifest.ResourceVersion)
		}
		p := settle(t, connect(t, serve(t)))
		drained(t, start(t, db, p))
		var got []string
		for _, one := range heard(t, p.nc) {
			got = append(got, one.Manifest.Action+" "+one.Manifest.ResourceVersion)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// 1. A draws number 1 and is slow.
// 2. B draws number 2, commits, is announced and taken away.
// 3. A commits. Who asks for numbers above 2 never sees it.
func TestASlowerTransactionWithALowerNumberIsNotSkipped(t *testing.T) {
	t.Parallel()
	for _, e := range engines()[1:] { // SQLite has one writer at a time
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			_, db := e.fresh(t)
			p := settle(t, connect(t, serve(t)))
			r := start(t, db, p)
			slow, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			a, err := outbox.Append(t.Context(), slow, event.Tag("user:a"))
			if err != nil {
				t.Fatal(err)
			}
			mustWait(t, r, e.write(t, db, true, event.Tag("user:b")))
			drained(t, r)
			if err := slow.Commit(); err != nil {
				t.Fatal(err)
			}
			mustWait(t, r, a)
			if diff := cmp.Diff([]string{"[tag/user:b]", "[tag/user:a]"}, said(t, p.nc)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoTwoRowsOfOneSubjectAreInFlight(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		for i := range 120 {
			e.write(t, db, true, event.Tag(fmt.Sprintf("f%d:%d", i%3, i)))
		}
		p := &slow{station: settle(t, connect(t, serve(t))), flying: map[string]int{}}
		drained(t, start(t, db, p))
		if p.most != 1 || p.together < 2 {
			t.Errorf("%d rows of one subject in flight, %d subjects at a time", p.most, p.together)
		}
	})
}
