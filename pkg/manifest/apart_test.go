package manifest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Stuck is a kind one of whose functions does not return before it may.
type Stuck struct {
	Model string `json:"model"`
}

// stuck registers it with a place. asked counts the calls for the object "slow", which wait for goOn.
func stuck(t *testing.T, p *place) (asked *atomic.Int64, goOn func()) {
	t.Helper()
	asked = new(atomic.Int64)
	hold := make(chan struct{})
	must(manifest.Register(t.Context(), p.store, manifest.Kind[Stuck]{
		APIVersion: "example.dev/v1", Name: "Stuck",
		Stale: func(m manifest.Manifest[Stuck]) []event.Target {
			if m.Metadata.Name == "slow" {
				asked.Add(1)
				<-hold
			}
			return nil
		},
	}))
	goOn = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(goOn) // before the store is closed
	return asked, goOn
}

func stuckText(name string) []byte {
	return fmt.Appendf(nil, "apiVersion: example.dev/v1\nkind: Stuck\nmetadata: {namespace: acme, name: %s}\nspec: {model: m}\n", name)
}

func TestCodeOfAKindThatHangsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	const many = 20 // more than changes that are written at a time
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		asked, _ := stuck(t, p)
		ctx, giveUp := context.WithCancel(t.Context())
		ended := make(chan error, 3*many)
		for range many {
			go func() { _, err := p.store.Apply(ctx, stuckText("slow")); ended <- err }()
			go func() { _, err := p.store.DryRun(ctx, stuckText("slow")); ended <- err }()
			go func() { _, err := p.store.Diff(ctx, stuckText("slow")); ended <- err }()
		}
		eventually(t, "all of them hang", func() bool { return asked.Load() >= 3*many })
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := p.store.Apply(short, stuckText("quick")); err != nil {
			t.Fatalf("another change: %v", err)
		}
		giveUp()
		for range 3 * many {
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("a call whose context has ended: %v", err)
				}
			case <-short.Done():
				t.Fatal("a call does not end with its context")
			}
		}
		go func() { _, err := p.store.Apply(t.Context(), stuckText("slow")); ended <- err }()
		eventually(t, "one more hangs", func() bool { return asked.Load() > 3*many })
		closed := make(chan error, 1)
		go func() { closed <- p.store.Close() }()
		for range 2 {
			select {
			case err := <-closed:
				if err != nil {
					t.Error(err)
				}
			case err := <-ended:
				if !errors.Is(err, manifest.ErrClosed) {
					t.Errorf("a call under way at Close: %v", err)
				}
			case <-short.Done():
				t.Fatal("Close waits for code of a kind")
			}
		}
	})
}

func TestADryRunAndADiffWaitForNoChange(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return // one connection does everything there
		}
		p := places(t, e, 1)[0]
		must(p.bots.Apply(t.Context(), bot("a", Bot{Account: "x"})))
		const changes = 8 // all that are let in at a time
		in, out := make(chan struct{}, changes), make(chan struct{})
		p.store.BeforeCommit(func() {
			in <- struct{}{}
			<-out
		})
		var wg sync.WaitGroup
		for i := range changes {
			wg.Go(func() { must(p.bots.Apply(t.Context(), bot(fmt.Sprint("b", i), Bot{Account: "y"}))) })
		}
		let := sync.OnceFunc(func() { close(out); wg.Wait() })
		defer let()
		n := changes
		if e.name == "sqlite" {
			n = 1
		}
		for range n {
			<-in
		}
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		text := []byte("apiVersion: example.dev/v1\nkind: Bot\nmetadata: {namespace: acme, name: a}\nspec: {account: z}\n")
		if rs, err := p.store.DryRun(short, text); err != nil || rs[0].Action != manifest.Configured {
			t.Errorf("dry run: %v, %v", rs, err)
		}
		if diff, err := p.store.Diff(short, text); err != nil || diff == "" {
			t.Errorf("diff: %q, %v", diff, err)
		}
	})
}

// A plan that others have got in the way of three times is made inside the transaction. What hangs there gives the turn back.
func TestAPlanThatIsMadeInsideGivesItsTurnBack(t *testing.T) {
	t.Parallel()
	onShared(t, func(t *testing.T, us, others *between) {
		var asked atomic.Int64
		inside, goOn := make(chan struct{}), make(chan struct{})
		must(us.store.Apply(t.Context(), []byte(stepText("a", "m0", "")+stepText("b", "m0", ""))))
		must(manifest.Register(t.Context(), us.store, manifest.Kind[Stuck]{
			APIVersion: "example.dev/v1", Name: "Stuck",
			Stale: func(m manifest.Manifest[Stuck]) []event.Target {
				if m.Metadata.Name != "slow" {
					return nil
				}
				switch n := asked.Add(1); n { // the first plan asks twice: whether it can be told, and what it is
				case 2, 3, 4:
					must(others.store.Apply(t.Context(), []byte(stepText("a", fmt.Sprint("m", n), "")))) // which this plan has read
				case 5:
					close(inside)
					<-goOn
				}
				return nil
			},
		}))
		var wg sync.WaitGroup
		wg.Go(func() {
			must(us.store.Apply(t.Context(), append([]byte(stepText("a", "m9", "")+stepText("b", "m9", "")+"---\n"), stuckText("slow")...)))
		})
		select {
		case <-inside:
		case <-time.After(time.Minute):
			t.Fatalf("no plan was made inside: its kind was asked %d times", asked.Load())
		}
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := us.store.Apply(short, []byte(stepText("c", "m0", ""))); err != nil {
			t.Errorf("another change: %v", err)
		}
		close(goOn)
		wg.Wait()
		for _, name := range []string{"a", "b"} {
			if o := must(us.store.Get(t.Context(), "Step", "acme", name)); string(o.Spec) != `{"model":"m9"}` {
				t.Errorf("%s has %s", name, o.Spec)
			}
		}
	})
}

// roomy is teamKind with one field more, which is required or not.
func roomy(required bool) string {
	kind := strings.Replace(teamKind, "size: {type", "room: {type: string}\n      size: {type", 1)
	if required {
		kind = strings.Replace(kind, "required: [lead]", "required: [lead, room]", 1)
	}
	return kind
}

// team is a Team of that name, with a room where one is given.
func team(name, room string) string {
	text := "---" + strings.Replace(teamRed, "red", name, 1)
	if room != "" {
		text = strings.Replace(text, "lead:", "room: "+room+", lead:", 1)
	}
	return text
}

func TestADryRunOfAKindWithItsObjectsTakesThemAsTheyWillBe(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		must(p.store.Apply(t.Context(), []byte(roomy(false)+team("one", "")+team("two", "attic"))))
		whole := []byte(roomy(true) + team("one", "cellar"))
		for range 2 {
			if rs, err := p.store.DryRun(t.Context(), whole); err != nil || rs[0].Action != manifest.Configured {
				t.Errorf("%+v, %v", rs, err)
			}
		}
		if _, err := p.store.DryRun(t.Context(), []byte(roomy(true)+team("two", "cellar"))); !errors.Is(err, manifest.ErrInvalid) {
			t.Errorf("one has no room, and stays as it is: %v", err)
		}
		must(p.store.Apply(t.Context(), whole))
	})
}

// 1. An object is about to be stored without a room.
// 2. The kind is to require one. It is asked about the object as it was, which has one, and then waits.
// 3. The object is stored.
func TestAKindIsAskedAgainAboutAnObjectThatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	dsn := engines()[2].dsn(t)
	p := places(t, engine{"postgres", func(testing.TB) string { return dsn }, false}, 1)[0]
	must(p.store.Apply(t.Context(), []byte(roomy(false)+team("one", "attic"))))
	in, out := make(chan struct{}), make(chan struct{})
	var first sync.Once
	p.store.BeforeCommit(func() {
		first.Do(func() {
			close(in)
			<-out
		})
	})
	var wg sync.WaitGroup
	wg.Go(func() { must(p.store.Apply(t.Context(), []byte(team("one", "")))) })
	<-in
	refused := make(chan error, 1)
	wg.Go(func() {
		_, err := p.store.Apply(t.Context(), []byte(roomy(true)))
		refused <- err
	})
	db := must(sql.Open("pgx", dsn))
	defer db.Close()
	(&stopped{t: t, db: db}).blocked(1)
	close(out)
	wg.Wait()
	if err := <-refused; !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), "spec.room") {
		t.Errorf("one has no room: %v", err)
	}
}

func TestTheEndOfACallNamesTheManifestThatWasBeingChecked(t *testing.T) {
	t.Parallel()
	p := places(t, engines()[0], 1)[0]
	stuck(t, p) // Stale hangs
	hold := make(chan struct{})
	t.Cleanup(sync.OnceFunc(func() { close(hold) }))
	must(manifest.Register(t.Context(), p.store, manifest.Kind[Stuck]{
		APIVersion: "example.dev/v1", Name: "Doubtful", Validate: func(m manifest.Manifest[Stuck]) error {
			if m.Metadata.Name == "any" {
				<-hold
			}
			return nil
		},
	}))
	for kind, name := range map[string]string{"Stuck": "slow", "Doubtful": "any"} {
		text := strings.Replace(string(stuckText(name)), "kind: Stuck", "kind: "+kind, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := p.store.Apply(ctx, []byte(text))
		cancel()
		var e *manifest.Error
		if !errors.Is(err, manifest.ErrUnchecked) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, manifest.ErrInvalid) || !errors.As(err, &e) ||
			e.Kind != kind || e.Namespace != "acme" || e.Name != name || e.Field != "spec" || !strings.Contains(err.Error(), "the schema of Kind "+kind) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err := p.store.Apply(t.Context(), stuckText("quick")); err != nil {
		t.Errorf("another manifest: %v", err)
	}
}
