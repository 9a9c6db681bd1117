package manifest_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestOfTwoWritersWithOneResourceVersionOneWins(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps := places(t, e, 2)
		was := must(ps[0].bots.Apply(t.Context(), bot("helper", Bot{Account: "a"}))).Manifest
		for round := range 20 {
			var won, lost atomic.Int32
			var next atomic.Pointer[manifest.Manifest[Bot]]
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Go(func() {
					m := was
					m.Spec.Model = fmt.Sprintf("%d-%d", round, i)
					switch r, err := ps[i%2].bots.Apply(t.Context(), m); {
					case err == nil:
						won.Add(1)
						next.Store(&r.Manifest)
					case errors.Is(err, manifest.ErrConflict):
						lost.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 || lost.Load() != 3 {
				t.Fatalf("%d won and %d lost", won.Load(), lost.Load())
			}
			was = *next.Load()
		}
	})
}

func TestManyWhoApplyOneObjectAllSucceedAndAreAnnouncedInTheirOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps := places(t, e, 2)
		h := listen(t, ps[1].node, ps[1].store)
		const writers, each = 8, 10
		var versions sync.Map
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				p := ps[i%2]
				for n := range each {
					r, err := p.bots.Apply(t.Context(), bot("helper", Bot{Account: strconv.Itoa(i), Model: strconv.Itoa(n)}))
					if err != nil {
						t.Error(err)
						return
					}
					versions.Store(r.Manifest.Metadata.ResourceVersion, true)
					token(t, p.store, r, nil)
				}
			})
		}
		wg.Wait()
		got := must(ps[0].bots.Get(t.Context(), "acme", "helper"))
		if got.Metadata.Generation != writers*each {
			t.Errorf("generation %d after %d changes", got.Metadata.Generation, writers*each)
		}
		objects, _ := apart(h.events(t))
		last, seen := 0, map[string]bool{}
		for _, e := range objects {
			v := must(strconv.Atoi(e.Manifest.ResourceVersion))
			if seen[e.Manifest.ResourceVersion] {
				continue
			}
			seen[e.Manifest.ResourceVersion] = true
			if v < last {
				t.Errorf("%d is announced after %d", v, last)
			}
			last = v
			if _, ok := versions.Load(e.Manifest.ResourceVersion); !ok {
				t.Errorf("%d is announced, and nobody has got it", v)
			}
		}
		if len(seen) != writers*each {
			t.Errorf("%d announced of %d", len(seen), writers*each)
		}
	})
}

// Texts that name the same objects in different orders, objects that refer to each other, deletes between them: whoever waits
// for whom, all of it ends.
func TestChangesOfManyObjectsNeverWaitForEachOther(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps := places(t, e, 2)
		doc := func(i, n int) string {
			return fmt.Sprintf("---\napiVersion: example.dev/v1\nkind: Bot\nmetadata: {namespace: acme, name: bot-%d}\nspec: {account: a, model: m%d, friend: bot-%d, plugins: [p%d]}\n"+
				"---\napiVersion: example.dev/v1\nkind: Plugin\nmetadata: {namespace: acme, name: p%d}\nspec: {endpoint: e%d, provider: q}\n", i, n, (i+1)%6, i, i, n)
		}
		var wg sync.WaitGroup
		for w := range 6 {
			wg.Go(func() {
				p := ps[w%2]
				for n := range 8 {
					var text strings.Builder
					for i := range 6 {
						text.WriteString(doc((i*5+w)%6, n*10+w))
					}
					if _, err := p.store.Apply(t.Context(), []byte(text.String())); err != nil {
						t.Error(err)
						return
					}
					if w == 0 {
						if _, err := p.bots.Delete(t.Context(), "acme", fmt.Sprintf("bot-%d", n%6)); err != nil && !errors.Is(err, manifest.ErrNotFound) {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestObjectsAreNeverAppliedUnderAKindThatIsGoneOrAnother(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps := places(t, e, 2)
		kinds := []string{teamKind, strings.Replace(strings.Replace(teamKind, "required: [lead]", "required: [lead, room]", 1), "size: {type", "room: {type: string}\n      size: {type", 1)}
		objects := []string{teamRed, strings.Replace(teamRed, "lead: ada", "lead: ada, room: r", 1)}
		var wg sync.WaitGroup
		var applied [2]atomic.Int32
		done := make(chan struct{})
		for w := range 3 {
			wg.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-done:
						return
					default:
					}
					which := (n + w) % 2
					switch _, err := ps[w%2].store.Apply(t.Context(), []byte(objects[which])); {
					case err == nil:
						applied[which].Add(1)
					case !errors.Is(err, manifest.ErrInvalid):
						t.Error(err)
						return
					}
					if _, err := ps[w%2].store.Delete(t.Context(), "team", "acme", "red"); err != nil && !errors.Is(err, manifest.ErrNotFound) {
						t.Error(err)
						return
					}
				}
			})
		}
		for n := range 60 {
			p := ps[n%2]
			_, err := p.store.Apply(t.Context(), []byte(kinds[n%2]))
			if err != nil && !errors.Is(err, manifest.ErrInvalid) {
				t.Fatal(err)
			}
			// Whatever was applied meanwhile, what is stored is what the stored kind takes.
			if n%10 == 9 {
				if _, err := p.store.Delete(t.Context(), "kind", "", "team"); err != nil && !errors.Is(err, manifest.ErrConflict) && !errors.Is(err, manifest.ErrNotFound) {
					t.Fatal(err)
				}
			}
		}
		close(done)
		wg.Wait()
		k, err := ps[0].store.Get(t.Context(), "kind", "", "team")
		if errors.Is(err, manifest.ErrNotFound) {
			if _, err := ps[0].store.Apply(t.Context(), []byte(teamKind)); err != nil {
				t.Fatalf("the kind was deleted while an object of it was written: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		// Applying the kind once more, as it is but for a word, asks all that is stored.
		k.Metadata.ResourceVersion, k.Metadata.Annotations = "", map[string]string{"note": "x"}
		text := must(manifestText(k))
		if _, err := ps[0].store.Apply(t.Context(), text); err != nil {
			t.Errorf("an object was applied under another kind: %v", err)
		}
		t.Logf("applied %d and %d", applied[0].Load(), applied[1].Load())
	})
}

func TestCloseEndsWhatIsUnderWayAndLosesNothingThatWasCommitted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return // what is in memory is gone with the store
		}
		dsn := e.dsn(t)
		ps := places(t, engine{e.name, func(testing.TB) string { return dsn }, false}, 2)
		h := listen(t, ps[1].node, ps[1].store)
		var done sync.Map
		var wg sync.WaitGroup
		began := make(chan struct{}, 64)
		for w := range 6 {
			wg.Go(func() {
				for n := 0; ; n++ {
					r, err := ps[0].bots.Apply(t.Context(), bot(fmt.Sprintf("bot-%d", w), Bot{Account: "a", Model: strconv.Itoa(n)}))
					if err != nil {
						if !errors.Is(err, manifest.ErrClosed) {
							t.Error(err)
						}
						return
					}
					done.Store(r.Manifest.Metadata.ResourceVersion, true)
					select {
					case began <- struct{}{}:
					default:
					}
				}
			})
		}
		for range 20 {
			<-began
		}
		var closing sync.WaitGroup
		for range 2 {
			closing.Go(func() {
				if err := ps[0].store.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		closing.Wait()
		wg.Wait()
		if _, err := ps[0].bots.Get(t.Context(), "acme", "bot-1"); !errors.Is(err, manifest.ErrClosed) {
			t.Error(err)
		}
		if _, err := ps[0].store.Wait(t.Context(), ""); !errors.Is(err, manifest.ErrClosed) {
			t.Error(err)
		}
		if err := ps[0].store.Ready(t.Context()); !errors.Is(err, manifest.ErrClosed) {
			t.Error(err)
		}
		// The other process announces what this one has left behind: what is announced last is announced after all of it.
		r, err := ps[1].bots.InvalidateCache(t.Context(), "acme", "last")
		token(t, ps[1].store, r, err)
		said, _ := apart(h.events(t))
		heard := map[string]bool{}
		for _, e := range said {
			heard[e.Manifest.ResourceVersion] = true
		}
		done.Range(func(v, _ any) bool {
			if s, _ := v.(string); !heard[s] {
				t.Errorf("%v was committed and not announced", v)
			}
			return true
		})
	})
}

func TestACallThatIsGivenUpWritesNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.bots.Apply(ctx, bot("helper", Bot{Account: "a"})); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := p.bots.Get(ctx, "acme", "helper"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := p.bots.Get(t.Context(), "acme", "helper"); !errors.Is(err, manifest.ErrNotFound) {
			t.Error(err)
		}
	})
}

// A publisher that is away: what is committed waits, and the writer is told so.
func TestWithoutTheBusAResultHasATicketAndNoToken(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps := places(t, e, 1)
		away := &awayFor{node: ps[0].node, back: make(chan struct{})}
		store := must(manifest.Open(t.Context(), e.dsn(t), away))
		defer func() { _ = store.Close() }()
		bots := must(manifest.Register(t.Context(), store, botKind()))
		r, err := bots.Apply(t.Context(), bot("helper", Bot{Account: "a"}))
		if err != nil || !r.Token.IsZero() || r.Ticket == "" || r.Action != manifest.Created {
			t.Fatalf("%+v %v", r, err)
		}
		if got := away.forgotten(); len(got) < 4 {
			t.Errorf("this node was told to forget %v", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := store.Wait(ctx, r.Ticket); err == nil {
			t.Error("it was not announced yet")
		}
		close(away.back)
		tok, err := store.Wait(t.Context(), r.Ticket)
		if err != nil || tok.IsZero() {
			t.Error(tok, err)
		}
		if _, err := store.Wait(t.Context(), "no ticket"); !errors.Is(err, event.ErrInvalid) {
			t.Error(err)
		}
	})
}

// awayFor publishes on a real node once it is back.
type awayFor struct {
	node interface {
		Publish(ctx context.Context, events ...event.Event) (event.Token, error)
		Stream() (fleet, epoch string)
	}
	back chan struct{}
	mu   sync.Mutex
	told []event.Target
}

func (a *awayFor) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	select {
	case <-a.back:
		return a.node.Publish(ctx, events...)
	case <-ctx.Done():
		return event.Token{}, ctx.Err()
	}
}

func (a *awayFor) Stream() (fleet, epoch string) { return a.node.Stream() }

func (a *awayFor) Forget(targets ...event.Target) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, targets...)
}

func (a *awayFor) forgotten() []event.Target {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.told
}
