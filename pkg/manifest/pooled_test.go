package manifest_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/internal/pooler"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Six nodes start on one database behind PgBouncer at once, twice. Each applies objects that refer to each other and to those of the others; what is
// memoized of them is fresh everywhere, and whole.
func TestNodesKeepAllPromisesThroughPgBouncer(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			const each = 6
			dsn := pgtest.Bouncer(t, pgtest.DSN(t), mode, "default_pool_size = 90")
			nodes := lethetest.Fleet(t, each)
			var said lines
			for round := range 2 {
				ps := make([]*place, each)
				var wg sync.WaitGroup
				for i, node := range nodes {
					wg.Go(func() { ps[i] = openWhen(t, dsn, node, manifest.WithLogger(said.logger())) })
				}
				wg.Wait()
				if slices.Contains(ps, nil) {
					return
				}
				for i, p := range ps {
					wg.Go(func() {
						for k := range 4 {
							applyBoth(t, p, fmt.Sprintf("n%d", (i+k)%each), fmt.Sprintf("%d-%d-%d", round, i, k))
						}
					})
				}
				wg.Wait()
				last := applyBoth(t, ps[0], "n0", fmt.Sprintf("last-%d", round))
				lethetest.WaitAll(t, last, nodes...)
				for _, p := range ps {
					m, err := p.bots.Get(t.Context(), "acme", "n0")
					plugged, err2 := p.plugins.Get(t.Context(), "acme", "n0")
					if want := fmt.Sprintf("last-%d", round); err != nil || err2 != nil || m.Spec.Model != want || plugged.Spec.Endpoint != want {
						t.Errorf("%s and %s, want %s (%v, %v)", m.Spec.Model, plugged.Spec.Endpoint, want, err, err2)
					}
				}
				for _, p := range ps {
					if err := p.store.Close(); err != nil {
						t.Error(err)
					}
				}
			}
			polled := 0
			if mode == "transaction" {
				polled = 2 * each
			}
			if n := said.count("event=outbox_polled"); n != polled {
				t.Errorf("%d relays say that they poll, want %d", n, polled)
			}
		})
	}
}

func openWhen(t *testing.T, dsn string, node *lethe.Node, opts ...manifest.Option) *place {
	s, err := manifest.Open(t.Context(), dsn, node, opts...)
	if err != nil {
		t.Error(err)
		return nil
	}
	p := &place{node: node, store: s}
	t.Cleanup(func() { _ = s.Close() })
	ctx := t.Context()
	p.bots = must(manifest.Register(ctx, s, botKind()))
	p.plugins = must(manifest.Register(ctx, s, pluginKind()))
	return p
}

// A program on another machine commits, and nobody wakes the relay that works: it looks by itself.
func TestCommitOfAnotherNodeIsAnnouncedThroughPgBouncer(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"session", "transaction"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.Bouncer(t, pgtest.DSN(t), mode, "default_pool_size = 90")
			nodes := lethetest.Fleet(t, 2)
			first := openAt(t, dsn, nodes[0])
			eventually(t, "the first works", func() bool {
				status, err := first.store.Outbox(t.Context())
				return err == nil && status.Working
			})
			second := openAt(t, dsn, nodes[1])
			for i := range 5 {
				r, err := second.bots.Apply(t.Context(), bot("helper", Bot{Account: fmt.Sprint(i)}))
				token(t, second.store, r, err)
			}
			if status, err := first.store.Outbox(t.Context()); err != nil || !status.Working {
				t.Errorf("%+v, %v: the first is to work all the time", status, err)
			}
		})
	}
}

func TestPoolerThatCanNotWorkIsRefusedWithWhatToDo(t *testing.T) {
	t.Parallel()
	dsn, node := pgtest.DSN(t), lethetest.Fleet(t, 1)[0]
	refused := func(dsn string, words ...string) {
		t.Helper()
		s, err := manifest.Open(t.Context(), dsn, node)
		if err == nil {
			_ = s.Close()
			t.Error("it was opened")
			return
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%v: does not say %s", err, word)
			}
		}
	}
	refused(pgtest.Bouncer(t, dsn, "statement"), "pool_mode = transaction or session")
	refused(pgtest.Bouncer(t, dsn, "session", "default_pool_size = 1"), "default_pool_size")
	refused(pgtest.Bouncer(t, dsn, "transaction")+"&search_path=mine", "ALTER ROLE", "search_path")
	refused(pgtest.Bouncer(t, dsn, "session", "ignore_startup_parameters = search_path")+"&search_path=mine", "ALTER ROLE", `"mine"`)
}

// What a program leaves in a session of the server, a stranger finds who gets the same connection next.
func TestNothingIsLeftInASessionThatOthersGet(t *testing.T) {
	t.Parallel()
	direct := pgtest.DSN(t)
	behind := pgtest.Bouncer(t, direct, "transaction", "default_pool_size = 5")
	p := openAt(t, behind, lethetest.Fleet(t, 1)[0])
	for i := range 5 {
		applyBoth(t, p, "helper", fmt.Sprint(i))
	}
	stranger := must(sql.Open("pgx", behind+"&default_query_exec_mode=exec"))
	defer func() { _ = stranger.Close() }()
	var held []*sql.Tx // each on a connection of the server of its own, all of them at last
	defer func() {
		for _, tx := range held {
			_ = tx.Rollback()
		}
	}()
	seen := map[int]bool{}
	for range 200 {
		tx := must(stranger.BeginTx(t.Context(), nil))
		var pid, left int
		err := tx.QueryRowContext(t.Context(), "SELECT pg_backend_pid(), (SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql) + "+
			"(SELECT count(*) FROM pg_listening_channels()) + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) + "+
			"(SELECT count(*) FROM pg_settings WHERE source = 'session' AND name IN ('idle_in_transaction_session_timeout', 'search_path'))").Scan(&pid, &left)
		if err != nil || left != 0 {
			t.Errorf("%d things are left in a session, %v", left, err)
		}
		if seen[pid] = true; len(held) < 2 {
			held = append(held, tx)
			continue
		}
		_ = tx.Rollback()
	}
	if len(seen) < 3 {
		t.Errorf("only %d sessions were looked at", len(seen))
	}
	if mode := must(pooler.Find(t.Context(), stranger)); mode != pooler.Transaction {
		t.Errorf("the mode is %v", mode)
	}
}

// applyBoth writes a bot and the plugin it refers to, in one apply, until it is announced.
func applyBoth(t *testing.T, p *place, name, value string) (last event.Token) {
	t.Helper()
	text := fmt.Sprintf("apiVersion: example.dev/v1\nkind: Bot\nmetadata: {namespace: acme, name: %[1]s}\nspec: {account: a, model: %[2]q, plugins: [%[1]s]}\n---\n"+
		"apiVersion: example.dev/v1\nkind: Plugin\nmetadata: {namespace: acme, name: %[1]s}\nspec: {endpoint: %[2]q}\n", name, value)
	r, err := p.store.Apply(context.WithoutCancel(t.Context()), []byte(text))
	if err != nil {
		t.Error(err)
		return last
	}
	return token(t, p.store, r[0], nil)
}
