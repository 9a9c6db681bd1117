package main

import (
	"path/filepath"
	"testing"

	"github.com/lethe-cache/lethe/chaos/judge"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// Were a kind of invalidation to leave one of the functions out, the judge would blame the cache for it.
func TestEveryKindOfInvalidationIsForgottenByEveryFunction(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "db")
	db, err := serveTruth(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.close)
	client := newDatabase(socket, 0)
	t.Cleanup(client.client.CloseIdleConnections)
	n := lethetest.Fleet(t, 1, lethe.Config{})[0]
	f := memoize(n, client)
	read := map[string]func(k int) int64{
		"item":  func(k int) int64 { return get(t, f.item, k).Version },
		"stale": func(k int) int64 { return get(t, f.stale, k).Version },
		"serve": func(k int) int64 { return get(t, f.serve, k).Version },
		"bulk":  func(k int) int64 { return get(t, f.bulk, k).Version },
		"pair":  func(k int) int64 { return get(t, f.pair, k).A.Version },
		"deep":  func(k int) int64 { return get(t, f.deep, k).A.Version },
	}
	for _, kind := range []string{byKeys, byTag, byPrefix, byFunction, byAll, bySoft} {
		keys := []int{9, 11}
		for name := range read {
			for _, k := range keys {
				read[name](k)
			}
		}
		db.commit(keys, func(judge.Commit) {})
		if _, err := n.Invalidate(t.Context(), targets(kind, keys)...); err != nil {
			t.Fatal(err)
		}
		for name := range read {
			for _, k := range keys {
				// What is soft may be served stale once more, by the function that says so, while it is loaded.
				if got := read[name](k); got != db.version(k) && (kind != bySoft || name != "stale") {
					t.Errorf("%s(%d) is %d after an invalidation by %s, want %d", name, k, got, kind, db.version(k))
				}
			}
		}
	}
}

func get[V any](t *testing.T, f *lethe.Func[int, V], k int) V {
	t.Helper()
	v, err := f.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
