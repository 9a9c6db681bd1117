package manifest_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// onFiles is onEach for the databases that another connection can look into.
func onFiles(t *testing.T, test func(t *testing.T, dsn string, raw *sql.DB)) {
	t.Helper()
	for _, e := range engines() {
		if e.one {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			dsn := e.dsn(t)
			test(t, dsn, rawOf(t, dsn))
		})
	}
}

func rawOf(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	driver, name := "pgx", dsn
	if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		driver, name = "sqlite", "file:"+file+"?_pragma=busy_timeout(60000)"
	}
	raw := must(sql.Open(driver, name))
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// journalOf is the journal of an object, the oldest line first, as text without times.
func journalOf(t *testing.T, s *manifest.Store, kind, name string) (all []string) {
	t.Helper()
	lines, next, err := s.Journal(t.Context(), kind, "acme", name, manifest.JournalOptions{})
	if err != nil || next != "" {
		t.Fatalf("%v, next %q", err, next)
	}
	slices.Reverse(lines)
	for _, l := range lines {
		text := fmt.Sprintf("%s %s %s/%s/%s v%t g%d by %q because %q", l.Verb, l.Action, l.Kind, l.Namespace, l.Name, l.ResourceVersion != "", l.Generation, l.Actor, l.Reason)
		for _, f := range l.Fields {
			text += fmt.Sprintf(" %s:%s>%s", f.Path, f.Old, f.New)
			if f.Secret {
				text += "(secret)"
			}
		}
		for _, p := range l.Problems {
			text += fmt.Sprintf(" %s!%s", p.Field, p.Text)
		}
		if time.Since(l.Time) > time.Hour || l.Action != manifest.Refused && l.Ticket == "" {
			t.Errorf("%v, ticket %q: %s", l.Time, l.Ticket, text)
		}
		all = append(all, text)
	}
	return all
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want):
			t.Errorf("too many: %s", got[i])
		case !strings.HasPrefix(got[i], want[i]):
			t.Errorf("line %d is\n%s, want\n%s", i, got[i], want[i])
		}
	}
}

func TestJournalSaysWhoChangedWhatAndWhy(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1, manifest.WithJournal(0))[0]
		ctx := event.WithReason(event.WithClaim(event.WithActor(t.Context(), event.ActorToken, "ci"), "ada"), "release")
		bob := event.WithClaim(t.Context(), "bob")
		apply := func(ctx context.Context, spec Bot, labels map[string]string) {
			t.Helper()
			m := bot("helper", spec)
			m.Metadata.Labels = labels
			must(p.bots.Apply(ctx, m))
		}
		apply(ctx, Bot{Account: "a", Plugins: []string{"x"}}, map[string]string{"team": "red"})
		apply(ctx, Bot{Account: "a", Plugins: []string{"x"}}, map[string]string{"team": "red"}) // changes nothing
		apply(bob, Bot{Account: "b", Plugins: []string{"x", "y"}}, map[string]string{"team": "blue"})
		must(p.bots.SetStatus(t.Context(), "acme", "helper", map[string]string{"state": "up"}))
		must(p.store.DryRun(bob, []byte(`{"apiVersion":"example.dev/v1","kind":"Bot","metadata":{"namespace":"acme","name":"helper"},"spec":{"account":"dry"}}`)))
		must(p.bots.InvalidateCache(ctx, "acme", "helper"))
		must(p.bots.InvalidateCache(bob, "acme", ""))
		must(p.bots.InvalidateCache(bob, "", ""))
		must(p.bots.InvalidateCache(bob, "other", "")) // not its namespace
		if _, err := p.store.Apply(bob, []byte(`{"apiVersion":"example.dev/v1","kind":"Bot","metadata":{"namespace":"acme","name":"helper","resourceVersion":"1234567"},"spec":{"account":"b"}}`)); !errors.Is(err, manifest.ErrConflict) {
			t.Fatal(err)
		}
		if _, err := p.store.Apply(bob, []byte(`[`)); err == nil { // names nothing
			t.Fatal("it was applied")
		}
		two := `{"apiVersion":"example.dev/v1","kind":"Bot","metadata":{"namespace":"acme","name":"helper"},"spec":{"account":"c"}}
---
{"apiVersion":"example.dev/v1","kind":"Bot","metadata":{"namespace":"acme","name":"second"},"spec":{"account":1}}`
		if _, err := p.store.Apply(ctx, []byte(two)); !errors.Is(err, manifest.ErrInvalid) {
			t.Fatal(err)
		}
		must(p.bots.Delete(ctx, "acme", "helper"))
		if _, err := p.bots.Delete(bob, "acme", "helper"); !errors.Is(err, manifest.ErrNotFound) {
			t.Fatal(err)
		}
		const ci, mine = `by "ci (authenticated) for ada (claimed)" because "release"`, `by "bob (claimed)" because ""`
		wantLines(t, journalOf(t, p.store, "bots", "helper"),
			`apply created Bot/acme/helper vtrue g1 `+ci+` apiVersion:>"example.dev/v1" metadata.labels.team:>"red" spec.account:>"a" spec.plugins:>["x"]`,
			`apply configured Bot/acme/helper vtrue g2 `+mine+` metadata.labels.team:"red">"blue" spec.account:"a">"b" spec.plugins:["x"]>["x","y"]`,
			`invalidate invalidated Bot/acme/helper vtrue g2 `+ci,
			`invalidate invalidated Bot/acme/ vfalse g0 `+mine,
			`invalidate invalidated Bot// vfalse g0 `+mine,
			`apply refused Bot/acme/helper vfalse g0 `+mine+` metadata.resourceVersion!is 1234567`,
			`apply refused Bot/acme/helper vfalse g0 `+ci+` !another manifest of the same text was refused`,
			`delete deleted Bot/acme/helper vtrue g2 `+ci+` apiVersion:"example.dev/v1"> metadata.labels.team:"blue"> spec.account:"b"> spec.plugins:["x","y"]>`,
			`delete refused Bot/acme/helper vfalse g0 `+mine+` !is not there`,
		)
		wantLines(t, journalOf(t, p.store, "b", "second"),
			`invalidate invalidated Bot/acme/ vfalse g0 `+mine, `invalidate invalidated Bot// vfalse g0 `+mine,
			`apply refused Bot/acme/second vfalse g0 `+ci+` spec.account!is number, has to be string`)
	})
}

func TestJournalIsReadInPartsAndSaysWhenThereIsMore(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1, manifest.WithJournal(0))[0]
		for i := range 7 {
			must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: strconv.Itoa(i)})))
		}
		var accounts []string
		o := manifest.JournalOptions{Limit: 3}
		for parts := 1; ; parts++ {
			lines, next, err := p.store.Journal(t.Context(), "Bot", "acme", "helper", o)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				accounts = append(accounts, string(l.Fields[len(l.Fields)-1].New))
			}
			if o.Continue = next; next == "" {
				if parts != 3 {
					t.Errorf("%d parts", parts)
				}
				break
			}
		}
		if got := strings.Join(accounts, ""); got != `"6""5""4""3""2""1""0"` {
			t.Errorf("%s", got)
		}
		lines, next, err := p.store.Journal(t.Context(), "Bot", "acme", "helper", manifest.JournalOptions{Limit: 7})
		if err != nil || next != "" || len(lines) != 7 {
			t.Errorf("%d lines, next %q, %v", len(lines), next, err)
		}
		since := manifest.JournalOptions{Since: time.Now().Add(time.Hour)}
		if lines, _, err := p.store.Journal(t.Context(), "Bot", "acme", "helper", since); err != nil || len(lines) != 0 {
			t.Errorf("%d lines of the future, %v", len(lines), err)
		}
		for field, o := range map[string]manifest.JournalOptions{"limit": {Limit: 1001}, "continue": {Continue: "x"}} {
			var bad *manifest.Error
			if _, _, err := p.store.Journal(t.Context(), "Bot", "acme", "helper", o); !errors.As(err, &bad) || bad.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		if _, _, err := p.store.Journal(t.Context(), "No kind", "acme", "helper", manifest.JournalOptions{}); !errors.Is(err, manifest.ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
}

// One line without its change, or one change without its line, would be a lie.
func TestJournalCommitsWithItsChangeOrNotAtAll(t *testing.T) {
	t.Parallel()
	onFiles(t, func(t *testing.T, dsn string, raw *sql.DB) {
		p := openAt(t, dsn, lethetest.Fleet(t, 1)[0], manifest.WithJournal(0))
		p.store.BeforeCommit(func() { panic("the process ends here") })
		func() {
			defer func() { _ = recover() }()
			_, _ = p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a"}))
		}()
		p.store.BeforeCommit(func() {})
		if got := journalOf(t, p.store, "Bot", "helper"); len(got) != 0 {
			t.Errorf("a line of what never committed: %s", got)
		}
		if _, err := raw.ExecContext(t.Context(), "DROP TABLE lethe_manifest_journal"); err != nil {
			t.Fatal(err)
		}
		if r, err := p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a"})); err == nil {
			t.Errorf("applied without a line: %+v", r)
		}
		if _, err := p.bots.Get(t.Context(), "acme", "helper"); !errors.Is(err, manifest.ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
}

func TestProcessesWithAndWithoutAJournalShareADatabase(t *testing.T) {
	t.Parallel()
	onFiles(t, func(t *testing.T, dsn string, raw *sql.DB) {
		nodes := lethetest.Fleet(t, 3)
		old := openAt(t, dsn, nodes[0])
		must(old.bots.Apply(t.Context(), bot("helper", Bot{Account: "before"})))
		if _, _, err := old.store.Journal(t.Context(), "Bot", "acme", "helper", manifest.JournalOptions{}); !errors.Is(err, manifest.ErrNoJournal) {
			t.Errorf("%v", err)
		}
		var tables int
		if raw.QueryRowContext(t.Context(), "SELECT count(*) FROM lethe_manifest_journal").Scan(&tables) == nil {
			t.Error("a process without a journal has made its table")
		}
		made := openAt(t, dsn, nodes[1], manifest.WithJournal(0))
		must(made.bots.Apply(t.Context(), bot("helper", Bot{Account: "new"})))
		must(old.bots.Apply(t.Context(), bot("helper", Bot{Account: "old"}))) // as before there was one
		late := openAt(t, dsn, nodes[2])
		must(late.bots.Apply(t.Context(), bot("helper", Bot{Account: "late"})))
		must(made.bots.Apply(t.Context(), bot("helper", Bot{Account: "last"})))
		for _, p := range []*place{old, made, late} {
			wantLines(t, journalOf(t, p.store, "Bot", "helper"),
				`apply configured Bot/acme/helper vtrue g2 by "" because "" spec.account:"before">"new"`,
				`apply configured Bot/acme/helper vtrue g5 by "" because "" spec.account:"late">"last"`)
		}
	})
}

func TestOldLinesOfTheJournalAreRemoved(t *testing.T) {
	t.Parallel()
	onFiles(t, func(t *testing.T, dsn string, raw *sql.DB) {
		node := lethetest.Fleet(t, 1)[0]
		first := must(manifest.Open(t.Context(), dsn, node, manifest.WithJournal(0)))
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		add := func(n int, at time.Time) {
			t.Helper()
			for i := range n {
				text := string(must(json.Marshal(manifest.JournalEntry{Kind: "Bot", Namespace: "acme", Name: "helper"})))
				if _, err := raw.ExecContext(t.Context(), "INSERT INTO lethe_manifest_journal (at, family, namespace, name, entry) VALUES ($1, 'bot', 'acme', 'helper', $2)",
					at.Add(time.Duration(i)*time.Millisecond).UnixMilli(), text); err != nil {
					t.Fatal(err)
				}
			}
		}
		add(1100, time.Now().Add(-2*time.Hour)) // over two steps
		add(3, time.Now().Add(-30*time.Minute))
		p := openAt(t, dsn, node, manifest.WithJournal(time.Hour))
		eventually(t, "what is too old is gone", func() bool {
			var n int
			return raw.QueryRowContext(t.Context(), "SELECT count(*) FROM lethe_manifest_journal").Scan(&n) == nil && n == 3
		})
		lines, _, err := p.store.Journal(t.Context(), "Bot", "acme", "helper", manifest.JournalOptions{})
		if err != nil || len(lines) != 3 {
			t.Errorf("%d lines are left, %v", len(lines), err)
		}
		if s, err := manifest.Open(t.Context(), dsn, node, manifest.WithJournal(time.Second)); err == nil {
			_ = s.Close()
			t.Error("a second is no time to keep a journal")
		}
	})
}

func TestRefusalsDoNotFillTheJournal(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1, manifest.WithJournal(0))[0]
		const burst, asked = 200, 600
		begun := time.Now()
		for range asked {
			if _, err := p.bots.Delete(t.Context(), "acme", "helper"); !errors.Is(err, manifest.ErrNotFound) {
				t.Fatal(err)
			}
		}
		most := burst + int(time.Since(begun).Seconds()*20) + 1
		left, written := 0, 0
		eventually(t, "the lines left out are told", func() bool {
			if _, err := p.bots.Delete(t.Context(), "acme", "helper"); !errors.Is(err, manifest.ErrNotFound) {
				t.Fatal(err)
			}
			lines, _, err := p.store.Journal(t.Context(), "Bot", "acme", "helper", manifest.JournalOptions{Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			left, written = 0, len(lines)
			for _, l := range lines {
				left += l.Left
			}
			return left > 0 || most >= asked
		})
		if written < burst || written > most+int(time.Since(begun).Seconds()*20) {
			t.Errorf("%d lines of %d refusals, %d left out", written, asked, left)
		}
	})
}
