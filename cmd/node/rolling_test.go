package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// balancer sends requests to the nodes whose latest probe said ready, as a load balancer does.
type balancer struct {
	client *http.Client

	mu      sync.Mutex // guards what follows
	members map[string]*probed
}

// probed is a node as its probes saw it.
type probed struct {
	ready bool
	seen  time.Time     // when the latest probe was answered
	gap   time.Duration // the longest time between two
}

const probeEvery = 50 * time.Millisecond

// watch probes one node until ctx ends.
func (b *balancer) watch(ctx context.Context, url string) {
	b.mu.Lock()
	p := &probed{seen: time.Now()}
	b.members[url] = p
	b.mu.Unlock()
	for ctx.Err() == nil {
		ready := false
		if res, err := b.client.Get(url + "/readyz"); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			ready = res.StatusCode == http.StatusOK
		}
		b.mu.Lock()
		now := time.Now()
		p.ready, p.gap, p.seen = ready, max(p.gap, now.Sub(p.seen)), now
		b.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(probeEvery):
		}
	}
	b.mu.Lock()
	delete(b.members, url)
	b.mu.Unlock()
}

// pick is a node that is ready, "" when there is none.
func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ready []string
	for url, p := range b.members {
		if p.ready {
			ready = append(ready, url)
		}
	}
	if len(ready) == 0 {
		return ""
	}
	return ready[rand.IntN(len(ready))]
}

// isReady says whether the balancer sends requests to a node.
func (b *balancer) isReady(url string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.members[url] != nil && b.members[url].ready
}

// longest is the longest time between two probes of a node since it was last asked.
func (b *balancer) longest(url string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.members[url]
	gap := max(p.gap, time.Since(p.seen))
	p.gap = 0
	return gap
}

// send sends a request to whichever node is ready.
func (b *balancer) send(ctx context.Context, method, path, body, token string) (status int, answer string, header http.Header, err error) {
	url := b.pick()
	if url == "" {
		return 0, "", nil, errors.New("no node is ready")
	}
	req, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	if token != "" {
		req.Header.Set(tokenHeader, token)
	}
	res, err := b.client.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), res.Header, err
}

// traffic reads and counts up through the balancer until ctx ends.
type traffic struct {
	b       *balancer
	reads   atomic.Int64
	written atomic.Int64 // the highest count that a node has taken

	mu      sync.Mutex // guards what follows
	token   string     // of that write
	refused []error
}

func (f *traffic) fail(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = append(f.refused, fmt.Errorf(format, args...))
}

func (f *traffic) latest() (int, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int(f.written.Load()), f.token
}

func (f *traffic) read(ctx context.Context) {
	for ctx.Err() == nil {
		least, token := f.latest()
		status, body, _, err := f.b.send(ctx, http.MethodGet, "/v1/manifests/bot/acme/counter", "", token)
		if ctx.Err() != nil {
			return
		}
		n, unread := countIn(body)
		switch {
		case err != nil || status != http.StatusOK || unread != nil:
			f.fail("a read: %d %s %w", status, body, errors.Join(err, unread))
		case n < least:
			f.fail("a read with the token of %d has %d", least, n)
		}
		f.reads.Add(1)
		pause(ctx, 5*time.Millisecond)
	}
}

func (f *traffic) write(ctx context.Context) {
	for n := int(f.written.Load()) + 1; ctx.Err() == nil; n++ {
		status, body, header, err := f.b.send(context.WithoutCancel(ctx), http.MethodPost, "/v1/manifests", counted(n), "")
		if err != nil || status != http.StatusOK && status != http.StatusAccepted {
			f.fail("write %d: %d %s %w", n, status, body, err)
		} else {
			f.mu.Lock()
			f.written.Store(int64(n))
			if token := header.Get(tokenHeader); token != "" {
				f.token = token
			}
			f.mu.Unlock()
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// TestRollingRestartRefusesNothing: three nodes on one database, each restarted in turn while it is read and written through a
// balancer that knows nothing but /readyz. No read is refused, none is older than the write whose token it has, and the last
// write is there.
func TestRollingRestartRefusesNothing(t *testing.T) {
	t.Parallel()
	srv, _ := startServer(t)
	flags := []string{
		"--nats-url", srv.URL(), "--database-url", "sqlite:" + filepath.Join(t.TempDir(), "lethe.db"), "--drain-delay", "2s", "--shutdown-timeout", "1m",
	}
	b := &balancer{client: newClient(t), members: map[string]*probed{}}
	ctx, stop := context.WithCancel(t.Context())
	var watches, users sync.WaitGroup
	start := func() *running {
		n := run(t, flags...)
		url := n.said("http")
		watches.Go(func() { b.watch(ctx, url) })
		for deadline := time.Now().Add(time.Minute); !b.isReady(url); pause(ctx, probeEvery) {
			if time.Now().After(deadline) {
				t.Fatalf("%s does not become ready:\n%s", url, n.log.String())
			}
		}
		return n
	}
	var nodes []*running
	defer func() {
		stop()
		users.Wait()
		watches.Wait()
	}()
	for range 3 {
		nodes = append(nodes, start())
	}
	if status, body, _, err := b.send(ctx, http.MethodPost, "/v1/manifests", kindOfBots+"---\n"+counted(0), ""); err != nil || status != http.StatusOK {
		t.Fatal(status, body, err)
	}
	f := &traffic{b: b}
	using, end := context.WithCancel(ctx)
	defer end()
	for range 3 {
		users.Go(func() { f.read(using) })
	}
	users.Go(func() { f.write(using) })
	for _, n := range nodes {
		url := n.said("http")
		b.longest(url)
		reads, writes := f.reads.Load(), f.written.Load()
		n.wait()
		gap := b.longest(url)
		f.mu.Lock()
		if len(f.refused) > 0 && gap > time.Second {
			// The machine was so busy that a probe took half of the delay: a balancer has to be faster than that.
			t.Logf("%d requests were refused while a probe took %v", len(f.refused), gap)
			f.refused = nil
		}
		f.mu.Unlock()
		start()
		for deadline := time.Now().Add(time.Minute); f.reads.Load() < reads+20 || f.written.Load() < writes+5; pause(ctx, probeEvery) {
			if time.Now().After(deadline) {
				t.Fatalf("%d reads and %d writes within a minute", f.reads.Load()-reads, f.written.Load()-writes)
			}
		}
	}
	end()
	users.Wait()
	last, token := f.latest()
	status, body, _, err := b.send(ctx, http.MethodGet, "/v1/manifests/bot/acme/counter", "", token)
	if n, unread := countIn(body); n != last || err != nil || unread != nil {
		t.Errorf("%d were written, and there is %d: %d %s %v", last, n, status, body, err)
	}
	for _, err := range f.refused {
		t.Error(err)
	}
	t.Logf("%d reads and %d writes", f.reads.Load(), last)
}
