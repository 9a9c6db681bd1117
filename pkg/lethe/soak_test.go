package lethe_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

const (
	soakBytes    = 32 << 20 // MaxBytes
	soakHot      = 16 << 20 // MaxHotBytes
	soakReaders  = 4
	soakOverhead = 96 << 20 // the server, the tables of both nodes, and a heap that is in use in pieces
)

// soakLongest is the length of the longest key: its canonical text has four more bytes.
const soakLongest = event.MaxKey - len(`[""]`)

// soakKeys are the lengths of keys: of every class, the longest that is allowed and the shortest that
// is refused among them.
var soakKeys = []int{
	3, 7, 8, 31, 100, 255, 256, 1000, 4095, 4096, 16 << 10, soakLongest - 1, soakLongest,
	soakLongest + 1, event.MaxKey, 64<<10 - 1, 65_500, 100_000,
}

// soakValues are the lengths of values, and how many in a thousand have them.
var soakValues = []struct{ size, weight int }{
	{1, 200}, {64, 200}, {1000, 200}, {4 << 10, 150}, {64 << 10, 150}, {256 << 10, 60}, {1 << 20, 30}, {4 << 20, 7}, {16 << 20, 3},
}

// soakOf is the length of the value of a key: always the same, so that every class is always there.
func soakOf(i int) int {
	p := int(uint32(i) * 2654435761 % 1000)
	for _, c := range soakValues {
		if p -= c.weight; p < 0 {
			return c.size
		}
	}
	return 1
}

// soak is a run: a truth, and nodes that have to be no older than what was applied.
type soak struct {
	t       *testing.T
	keys    []string
	moving  sync.RWMutex // held by every read and write; the heap is counted between them
	truth   []atomic.Int64
	nodes   []*soaked
	reads   atomic.Int64
	hits    atomic.Int64
	refused atomic.Int64
	writes  atomic.Int64
	opened  int
	hostile int
	heap    uint64 // the most
}

type soaked struct {
	*lethe.Node
	Conn  *nats.Conn
	f     *lethe.Func[string, []byte]
	floor []atomic.Int64 // by key: the version applied here
}

// soakValue has its version in as many of its first bytes as it has, eight at most.
func soakValue(version int64, size int) []byte {
	v := make([]byte, size)
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(version))
	copy(v, b[:])
	return v
}

func soakVersion(v []byte) int64 {
	var b [8]byte
	copy(b[:], v)
	return int64(binary.LittleEndian.Uint64(b[:]))
}

func (s *soak) open(srv *embedded.Server, name string) *soaked {
	s.t.Helper()
	nc := must[*nats.Conn](s.t)(srv.Connect())
	n := must[*lethe.Node](s.t)(lethe.Open(within(s.t), lethe.Config{
		Conn: nc, Fleet: "shop", Name: name, MaxBytes: soakBytes, MaxHotBytes: soakHot, MaxStaleness: patience,
	}))
	if err := n.Ready(within(s.t)); err != nil {
		s.t.Fatal(err)
	}
	w := &soaked{Node: n, Conn: nc, floor: make([]atomic.Int64, len(s.keys))}
	at := make(map[string]int, len(s.keys))
	for i, k := range s.keys {
		at[k] = i
	}
	w.f = lethe.Memoize(n, "catalog.soak", func(_ context.Context, k string) ([]byte, error) {
		i := at[k]
		return soakValue(s.truth[i].Load(), soakOf(i)), nil
	}, lethe.WithTags(func(k string, _ []byte) []string { return []string{fmt.Sprintf("soak:%d", at[k])} }))
	s.opened++
	return w
}

// read holds one read against what the node had applied before.
func (s *soak) read(ctx context.Context, w *soaked, i int) {
	s.moving.RLock()
	defer s.moving.RUnlock()
	floor := w.floor[i].Load()
	r, err := w.f.Lookup(ctx, s.keys[i])
	switch {
	case ctx.Err() != nil:
	case len(s.keys[i]) > soakLongest:
		if err == nil || !strings.Contains(err.Error(), "catalog.soak") {
			s.t.Errorf("a key of %d bytes: error %v, want one that names the function", len(s.keys[i]), err)
		}
		s.refused.Add(1)
	case err != nil:
		s.t.Errorf("a key of %d bytes: %v", len(s.keys[i]), err)
	default:
		if got := soakVersion(r.Value); got < floor&soakMask(len(r.Value)) {
			s.t.Errorf("key %d of %d bytes: version %d, a %s, and %d was applied", i, len(r.Value), got, r.Cache, floor)
		}
		if len(r.Value) != soakOf(i) {
			s.t.Errorf("key %d has %d bytes, want %d", i, len(r.Value), soakOf(i))
		}
		s.reads.Add(1)
		if r.Cache == lethe.Hit {
			s.hits.Add(1)
		}
	}
}

// soakMask is the part of a version that fits into a value. A value of one byte is written at most 255
// times.
func soakMask(size int) int64 {
	if size >= 8 {
		return -1
	}
	return 1<<(8*size) - 1
}

// write changes a key, invalidates it, by itself or by its tag, and notes it where it is applied.
func (s *soak) write(ctx context.Context, by *soaked, i int, tag bool) {
	s.moving.RLock()
	defer s.moving.RUnlock()
	if soakOf(i) < 8 && s.truth[i].Load() >= 1<<(8*soakOf(i))-1 || len(s.keys[i]) > soakLongest {
		return
	}
	v := s.truth[i].Add(1)
	target := event.Key("catalog.soak", s.keys[i])
	if tag {
		target = event.Tag(fmt.Sprintf("soak:%d", i))
	}
	var tok event.Token
	var err error
	for tok, err = by.Invalidate(ctx, target); err != nil && ctx.Err() == nil; { // a busy machine may not have stored it in time
		tok, err = by.Invalidate(ctx, target)
	}
	if ctx.Err() != nil {
		return
	}
	for _, w := range s.nodes {
		if err := w.Wait(ctx, tok); err != nil {
			if ctx.Err() == nil {
				s.t.Error(err)
			}
			return
		}
		w.floor[i].Store(v)
	}
	s.writes.Add(1)
}

// soakLength is how long the soak takes: some seconds, or LETHE_SOAK.
func soakLength(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("LETHE_SOAK")
	if text == "" {
		return 5 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second {
		t.Fatalf("LETHE_SOAK=%s: give a time of at least a second, like 10m", text)
	}
	return d
}

// It counts heap and goroutines, so it runs alone.
func TestASoakStaysWithinItsBoundsAndLeavesNothing(t *testing.T) {
	length, routines, before := soakLength(t), runtime.NumGoroutine(), heap()
	t.Run("soak", func(t *testing.T) { soakFor(t, length, before) })
	until(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= routines })
}

func soakFor(t *testing.T, length time.Duration, before uint64) {
	s := &soak{t: t}
	for i := range 1000 {
		s.keys = append(s.keys, fmt.Sprintf("%03d", i)+strings.Repeat("k", soakKeys[i%len(soakKeys)]-3))
	}
	s.truth = make([]atomic.Int64, len(s.keys))
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	for _, name := range []string{"one", "two"} {
		w := s.open(srv, name)
		t.Cleanup(func() {
			_ = w.Close()
			w.Conn.Close()
		})
		s.nodes = append(s.nodes, w)
	}
	admin := must[*nats.Conn](t)(srv.Connect())
	t.Cleanup(admin.Close)

	run, end := context.WithTimeout(t.Context(), length)
	defer end()
	// What is under way when the time is over is brought to its end.
	ctx, cancel := context.WithTimeout(t.Context(), length+patience)
	defer cancel()
	var wg sync.WaitGroup
	locks := make([]sync.Mutex, len(s.keys)) // one writer a key
	for g := range soakReaders {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for run.Err() == nil {
				s.read(ctx, s.nodes[r.IntN(len(s.nodes))], r.IntN(len(s.keys)))
			}
		})
	}
	for g := range 2 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(2, uint64(g)))
			for run.Err() == nil {
				if i := r.IntN(len(s.keys)); locks[i].TryLock() {
					s.write(ctx, s.nodes[g], i, r.IntN(2) == 0)
					locks[i].Unlock()
				}
			}
		})
	}
	a := &attacker{t: t, nc: admin, rng: rand.New(rand.NewPCG(3, 3))}
	for sampled, guests := time.Now(), 0; run.Err() == nil; guests++ {
		for range 20 { // what nobody should send
			a.speak()
			s.hostile++
		}
		if err := admin.FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
		w := s.open(srv, fmt.Sprintf("guest%d", guests)) // nodes come and go
		for k := range 20 {
			s.read(ctx, w, (guests+k*37)%len(s.keys))
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		w.Conn.Close()
		if time.Since(sampled) > length/20 {
			s.moving.Lock()
			s.heap = max(s.heap, grown(before))
			s.moving.Unlock()
			sampled = time.Now()
		}
		pause(run, 20*time.Millisecond)
	}
	wg.Wait()
	settled := grown(before)
	// A node that is just leaving may keep what it has a little longer.
	bound := uint64(len(s.nodes)+1)*(soakBytes+soakHot) + soakOverhead
	t.Logf("%v: %d reads, %d of them hits, %d refused for their keys, %d writes, %d hostile events, %d nodes opened; heap %d MiB at most, %d MiB at the end, bound %d MiB",
		length, s.reads.Load(), s.hits.Load(), s.refused.Load(), s.writes.Load(), s.hostile, s.opened, s.heap>>20, settled>>20, bound>>20)
	if s.heap > bound {
		t.Errorf("the heap has %d MiB more than before, the bound is %d", s.heap>>20, bound>>20)
	}
	if most := uint64(len(s.nodes))*(soakBytes+soakHot) + soakOverhead; settled > most {
		t.Errorf("at rest the heap has %d MiB more than before, the bound is %d", settled>>20, most>>20)
	}
	if s.reads.Load() < 100 || s.refused.Load() < 10 || s.writes.Load() < 10 || s.hostile < 20 || s.opened < 3 {
		t.Error("this run shows nothing")
	}
}

// grown is how much more of the heap is in use than before.
func grown(before uint64) uint64 {
	now := heap()
	return now - min(now, before)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
