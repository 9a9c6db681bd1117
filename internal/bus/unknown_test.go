package bus_test

import (
	"errors"
	"testing"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

func TestAPublishThatIsNotAnsweredIsUnknown(t *testing.T) {
	t.Parallel()
	p := play(t)
	nc := dial(t, p.url)
	n := open(t, nc, asPublisher)
	ready(t, n)
	price := event.Name[string]("catalog.price")
	p.silent.Store(true)
	if err := invalidateWithin(t, n, price.Key("sku-1")); !errors.Is(err, bus.ErrUnknown) || !errors.Is(err, bus.ErrNotPublished) {
		t.Errorf("a server that does not answer: %v", err)
	}
	nc.Close()
	if err := invalidateWithin(t, n, price.Key("sku-2")); err == nil || errors.Is(err, bus.ErrUnknown) {
		t.Errorf("without a connection nothing was sent: %v", err)
	}
}
