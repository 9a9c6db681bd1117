package bus_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/bus"
)

// oldServer greets as version 2.9 does and answers pings. Servers of that age can't be linked beside the present one, and
// the greeting is all that is looked at.
func oldServer(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Write([]byte(`INFO {"server_id":"A","version":"2.9.25","headers":true,"max_payload":1048576,"proto":1}` + "\r\n"))
		for lines := bufio.NewScanner(c); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "PING") {
				_, _ = c.Write([]byte("PONG\r\n"))
			}
		}
	}()
	return "nats://" + l.Addr().String()
}

func TestAServerThatIsTooOldIsNamedWithWhatToDo(t *testing.T) {
	t.Parallel()
	nc := dial(t, oldServer(t))
	n := open(t, nc)
	eventually(t, "Ready names the version", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		err := n.Ready(ctx)
		return errors.Is(err, bus.ErrNotReady) && strings.Contains(err.Error(), "2.9.25") && strings.Contains(err.Error(), "upgrade")
	})
	if _, err := bus.Ensure(t.Context(), nc, fleet, bus.EnsureOptions{}); err == nil || !strings.Contains(err.Error(), "2.11") {
		t.Errorf("Ensure: %v", err)
	}
}
