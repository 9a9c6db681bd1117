package bus_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// doubting tells a Durable of a Reset, as a node does.
type doubting struct {
	bus.Handler
	durable atomic.Pointer[bus.Durable]
}

func (h *doubting) ResetDone(cause string) {
	h.Handler.ResetDone(cause)
	if d := h.durable.Load(); d != nil {
		d.Doubt(cause)
	}
}

// 1. A server's store is restored from a copy, but its consumers' part is as it was. The server puts them at the end of the stream.
// 2. Numbers are given again, which nodes notice. Of what was not handled and is gone nothing else tells.
func TestAReceiverIsToldWhenItsStreamGivesNumbersAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := serverOnTCP(t, dir)
	var h doubting
	n := open(t, dial(t, srv.URL()), func(c *bus.Config) { h.Handler, c.Handler = c.Handler, &h })
	ready(t, n)
	d := durable(n, "tags a", "all", "tag.a")
	h.durable.Store(d)
	got := take(t, d)
	attached(t, d)
	invalidate(t, n, "a:1")
	got.want(t, "a:1")
	srv.stop()
	backup := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(backup, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	srv.start()
	serves(t, n)
	for range 20 {
		invalidate(t, n, "a:2")
		got.want(t, "a:2")
	}
	srv.stop()
	messages := ""
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == "msgs" && filepath.Base(filepath.Dir(path)) == event.StreamName(fleet) {
			messages = path
		}
		return err
	}); err != nil || messages == "" {
		t.Fatal("the store looks different from what this test knows: ", err)
	}
	rest, err := filepath.Rel(dir, messages)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(messages); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(messages, os.DirFS(filepath.Join(backup, rest))); err != nil {
		t.Fatal(err)
	}
	srv.start()
	got.want(t, "reset: the stream …")
	serves(t, n)
	invalidate(t, n, "a:3")
	for { // it may be told of both: that the consumer stood beyond the stream, and that nodes saw numbers go back
		select {
		case what := <-got.names:
			if what == "a:3" {
				return
			}
			t.Log(what)
		case <-t.Context().Done():
			t.Fatal("what is said afterwards is not handed out")
		}
	}
}

func TestAReceiverIsToldWhenItsStreamEndsBeforeWhatWasHandled(t *testing.T) {
	t.Parallel()
	n, _, admin := duo(t)
	meta := map[string]string{
		"lethe-receiver": "r", "lethe-filters": "tags a", "lethe-epoch": n.Status().Epoch, "lethe-through": fmt.Sprint(n.Status().Cursor + 1000),
	}
	if _, err := jets(t, admin).CreateConsumer(t.Context(), event.StreamName(fleet), jetstream.ConsumerConfig{
		Durable: bus.ConsumerName("r"), AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 1, FilterSubjects: []string{"lethe.v1.log.shop.tag.a"}, Metadata: meta,
	}); err != nil {
		t.Fatal(err)
	}
	got := take(t, durable(n, "tags a", "all", "tag.a"))
	got.want(t, "reset: the stream went back")
	got.nothing(t)
}
