package brokers

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Cached measures the memory of n manifests, each read through a memoized function as lethe-node's manifest.get does it.
func Cached(ctx context.Context, n int) error {
	dir, err := os.MkdirTemp("", "lethe-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "lethe.db")
	server, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()
	conn, err := server.Connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	node, err := lethe.Open(ctx, lethe.Config{Conn: conn, MaxBytes: 8 << 30, MaxTTL: 24 * time.Hour})
	if err != nil {
		return err
	}
	defer func() { _ = node.Close() }()
	if err := node.Ready(ctx); err != nil {
		return err
	}
	store, err := manifest.Open(ctx, "sqlite:"+file, node)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if _, err := manifest.Register(ctx, store, manifest.Kind[bot]{APIVersion: "bench.example.dev/v1", Name: "Bot", Plural: "bots"}); err != nil {
		return err
	}
	if err := fill(ctx, file, n); err != nil {
		return err
	}
	get := lethe.Memoize3(node, "manifest.get", func(ctx context.Context, kind, namespace, name string) (manifest.Object, error) {
		return store.Get(ctx, kind, namespace, name)
	})
	before := heap()
	begin := time.Now()
	var wg sync.WaitGroup
	var next atomic.Int64
	var failed atomic.Pointer[error]
	for range 4 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n) && failed.Load() == nil; i = next.Add(1) {
				if _, err := get.Get(ctx, "Bot", "bench", fmt.Sprintf("bot-%07d", i)); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	took := time.Since(begin)
	after := heap()
	hits, checks := 0, 1000
	for i := range checks {
		r, err := get.Lookup(ctx, "Bot", "bench", fmt.Sprintf("bot-%07d", 1+i*(n/checks)))
		if err != nil {
			return err
		}
		if r.Cache == lethe.Hit {
			hits++
		}
	}
	s := node.Status()
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"manifests": n, "entries": s.Entries, "valueBytes": s.Bytes, "heapBytes": after - before, "bytesEach": int(after-before) / n,
		"hitsOf1000": hits, "loadedPerSecond": int(float64(n) / took.Seconds()),
	})
}

// fill writes manifests past the store: what is measured is the cache.
func fill(ctx context.Context, file string, n int) error {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(60000)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, `
WITH RECURSIVE some(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM some WHERE i < $1)
INSERT INTO lethe_manifests (family, namespace, name, kind, api_version, uid, generation, version, created, labels, annotations, spec, status)
SELECT 'bot', 'bench', printf('bot-%07d', i), 'Bot', 'bench.example.dev/v1', printf('0199f000-0000-7000-8000-%012d', i), 1, i, 1, '{"team":"a"}', '',
 printf('{"model":"model-%d","plugins":["search","mail"]}', i), '' FROM some`, n)
	return err
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
