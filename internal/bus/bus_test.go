package bus_test

import "testing"

func whatOneInvalidatesAllHaveApplied(t *testing.T, w way) {
	nodes := w.fleet(t, 2)
	token := invalidate(t, nodes[0], "user:42")
	wait(t, token, nodes...)
	for i, n := range nodes {
		if !n.leased() {
			t.Errorf("node %d has no lease", i)
		}
		if n.forgot("user:42") != 1 {
			t.Errorf("node %d forgot it %d times", i, n.forgot("user:42"))
		}
		if !n.Reached(token) {
			t.Errorf("node %d has waited for %s and has not reached it", i, token)
		}
	}
	if d := nodes[0].applied[0]; !d.Echo {
		t.Error("a node does not know its own event again")
	}
	if d := nodes[1].applied[0]; d.Echo || d.Token != token || !d.Live {
		t.Errorf("echo %v, token %s, want %s", d.Echo, d.Token, token)
	}
}
