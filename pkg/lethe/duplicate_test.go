package lethe_test

import (
	"testing"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestTwoLivingNodesOfOneNameAreSaid(t *testing.T) {
	t.Parallel()
	srv := must[*embedded.Server](t)(embedded.Start(t.Context(), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	log := &journal{}
	var nodes []*lethe.Node
	for _, name := range []string{"web", "web", "other"} {
		nc, err := srv.Connect()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		cfg := lethe.Config{Conn: nc, Fleet: "shop", Name: name}
		if name == "other" {
			cfg.Logger = log.logger()
		}
		n := must[*lethe.Node](t)(lethe.Open(t.Context(), cfg))
		t.Cleanup(func() { _ = n.Close() })
		if err := n.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	until(t, "each of the two knows of the other", func() bool {
		return nodes[0].Status().Duplicates == 1 && nodes[1].Status().Duplicates == 1
	})
	until(t, "the third logs it", func() bool {
		return len(log.lines("level=WARN", "event=duplicate_name", "name=web", "instances=2")) == 1
	})
	if d := nodes[2].Status().Duplicates; d != 0 {
		t.Errorf("%d others are said to bear the third's name", d)
	}
	all, err := nodes[2].Nodes(within(t))
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, s := range all {
		if want := map[string]int{"web": 1}[s.Name]; s.Duplicates != want {
			t.Errorf("%s is said to have %d duplicates, want %d", s.Name, s.Duplicates, want)
		}
	}
}
