package bus_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/bus"
)

// A newer server has fields that this client does not know, and whoever set one is not undone by a node that raises the horizon.
func TestFieldsThatThisClientDoesNotKnowSurviveAnUpdate(t *testing.T) {
	t.Parallel()
	p := play(t)
	p.config["of_a_newer_server"] = map[string]any{"limit": 9007199254740993, "on": true}
	p.config["max_age"] = int64(3 * time.Hour)
	open(t, dial(t, p.url), func(c *bus.Config) { c.MaxStaleness = 30 * time.Second })
	var last map[string]json.RawMessage
	eventually(t, "the node has raised the horizon", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if n := len(p.updates); n > 0 {
			last = p.updates[n-1]
		}
		return strings.Contains(string(last["metadata"]), `"lethe-horizon":"30s"`)
	})
	if text := string(last["of_a_newer_server"]); text != `{"limit":9007199254740993,"on":true}` {
		t.Errorf("it is %q", text)
	}
	if text := string(last["max_age"]); text != "10800000000000" {
		t.Errorf("max_age is %s", text)
	}
}
