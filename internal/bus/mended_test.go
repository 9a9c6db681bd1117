package bus_test

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestWhatIsMendedIsSaid(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t))
	external(t, nc, func(c *jetstream.StreamConfig) { c.AllowDirect, c.DenyPurge = false, false })
	log := &lines{}
	n := open(t, nc, log.config)
	ready(t, n)
	for _, field := range []string{"allow_direct", "deny_purge"} {
		if found := log.with("level=WARN", "event=stream_mended", "field="+field, "was=false", "is=true"); len(found) != 1 {
			t.Errorf("%s: %d lines", field, len(found))
		}
	}
	if got := n.Status().Mended; got != 2 {
		t.Errorf("%d fields are counted", got)
	}
}
