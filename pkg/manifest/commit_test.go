package manifest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// cutter is the way to a PostgreSQL on which connections can be lost at the worst moment.
type cutter struct {
	l      net.Listener
	server string
	mode   atomic.Int32 // 0: nothing; 1: a COMMIT is lost; 2: its answer is
	wg     sync.WaitGroup
}

func cutting(t *testing.T, dsn string) (c *cutter, through string) {
	t.Helper()
	u := must(url.Parse(dsn))
	c = &cutter{l: must(net.Listen("tcp", "127.0.0.1:0")), server: u.Host}
	c.wg.Go(c.serve)
	t.Cleanup(func() {
		_ = c.l.Close()
		c.wg.Wait()
	})
	u.Host = c.l.Addr().String()
	return c, u.String()
}

func (c *cutter) serve() {
	for {
		client, err := c.l.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		var lost atomic.Bool
		c.wg.Go(func() { // from the server
			defer func() { _ = client.Close() }()
			buf := make([]byte, 1<<16)
			for {
				n, err := server.Read(buf)
				if err != nil || lost.Load() {
					return
				}
				if _, err := client.Write(buf[:n]); err != nil {
					return
				}
			}
		})
		c.wg.Go(func() { // to the server
			defer func() { _ = server.Close() }()
			buf := make([]byte, 1<<16)
			for {
				n, err := client.Read(buf)
				if err != nil {
					return
				}
				if bytes.Contains(buf[:n], []byte("commit\x00")) && (c.mode.CompareAndSwap(2, 0) || c.mode.Load() == 1) {
					lost.Store(true)
					if c.mode.CompareAndSwap(1, 0) {
						return
					}
					_, _ = server.Write(buf[:n])
					_, _ = io.Copy(io.Discard, client) // until it gives up
					return
				}
				if _, err := server.Write(buf[:n]); err != nil {
					return
				}
			}
		})
	}
}

// remembering is a node whose Forget is noted.
type remembering struct {
	*lethe.Node
	mu   sync.Mutex
	told []event.Target
}

func (r *remembering) Forget(targets ...event.Target) {
	r.mu.Lock()
	r.told = append(r.told, targets...)
	r.mu.Unlock()
	r.Node.Forget(targets...)
}

func (r *remembering) forgotten() []event.Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told
}

func TestAConnectionLostDuringTheCommitIsToldAndDoingItAgainIsSafe(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mode  int32
		again manifest.Action
	}{
		"the commit is lost": {1, manifest.Created},
		"its answer is lost": {2, manifest.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := engines()[2].dsn(t)
			way, through := cutting(t, dsn)
			nodes := lethetest.Fleet(t, 2)
			local := &remembering{Node: nodes[0]}
			other := openAt(t, dsn, nodes[1])
			store := must(manifest.Open(t.Context(), through, local))
			defer func() { _ = store.Close() }()
			bots := must(manifest.Register(t.Context(), store, botKind()))
			h := listen(t, nodes[1])
			eventually(t, "a commit is lost that is no relay's", func() bool {
				way.mode.Store(tc.mode)
				m := bot("helper", Bot{Account: "a"})
				_, err := bots.Apply(t.Context(), m)
				if err == nil { // the relay's commit was the one that was lost
					must(other.bots.Delete(t.Context(), "acme", "helper"))
					h.events(t)
					return false
				}
				if !errors.Is(err, manifest.ErrUnknown) || !strings.Contains(err.Error(), "do it again, that is safe") {
					t.Fatal(err)
				}
				return true
			})
			if len(local.forgotten()) < 4 {
				t.Error("it may have happened, so this node has to forget")
			}
			r, err := bots.Apply(t.Context(), bot("helper", Bot{Account: "a"}))
			if err != nil {
				t.Fatal(err)
			}
			if r.Action != tc.again {
				t.Errorf("%s", r.Action)
			}
			last, err := other.bots.InvalidateCache(t.Context(), "acme", "last")
			token(t, other.store, last, err)
			objects, _ := apart(h.events(t))
			seen := map[string]bool{}
			for _, e := range objects {
				if e.Manifest.Name == "helper" {
					seen[e.ID] = true
				}
			}
			if len(seen) != 1 {
				t.Errorf("%d changes are announced", len(seen))
			}
		})
	}
}
