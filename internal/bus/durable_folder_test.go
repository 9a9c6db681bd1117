package bus_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// forgetConsumer removes the folder of a consumer from under the server, as the server itself does
// where a node makes a consumer anew while the removal of the one before is under way.
func forgetConsumer(t *testing.T, dir, stream string) {
	t.Helper()
	found := 0
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == bus.ConsumerName("r") && filepath.Base(filepath.Dir(filepath.Dir(path))) == stream {
			found++
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			return fs.SkipDir
		}
		return err
	}); err != nil || found != 1 {
		t.Fatalf("%d folders, %v", found, err)
	}
}

func TestAReceiverIsToldThroughAConsumerThatTheServerCannotChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := serverOnTCP(t, dir)
	nc := dial(t, srv.URL())
	a := open(t, nc)
	ready(t, a)
	_, err := jets(t, nc).CreateConsumer(t.Context(), event.StreamName(fleet), jetstream.ConsumerConfig{
		Durable: bus.ConsumerName("r"), AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 1, FilterSubjects: []string{"lethe.v1.log.shop.tag.a"},
		Metadata: map[string]string{
			"lethe-receiver": "r", "lethe-filters": "tags a", "lethe-epoch": a.Status().Epoch,
			"lethe-through": fmt.Sprint(a.Status().Cursor), "lethe-owes": "the consumer was removed",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	forgetConsumer(t, dir, event.StreamName(fleet))
	// 1. What the receiver is owed is told once, and events go on.
	got := take(t, durable(a, "tags a", "all", "tag.a"))
	got.want(t, "reset: the consumer was removed")
	invalidate(t, a, "a:1")
	got.want(t, "a:1")
	got.nothing(t)
	// 2. The same of the consumer of ordered calls, which each node that joins writes anew.
	forgetConsumer(t, dir, bus.DeadStream(fleet))
	b := open(t, dial(t, srv.URL()))
	ready(t, b)
	d := durable(b, "tags a", "all", "tag.a")
	both := take(t, d)
	attached(t, d)
	invalidate(t, a, "a:2")
	select {
	case name := <-got.names:
		both.names <- name
	case name := <-both.names:
		both.names <- name
	case <-time.After(patience):
	}
	both.want(t, "a:2")
}
