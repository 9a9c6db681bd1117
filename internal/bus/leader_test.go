package bus

import (
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestOnlyTheLeadersWordCounts(t *testing.T) {
	t.Parallel()
	peers := func(names ...string) (ps []*jetstream.PeerInfo) {
		for _, name := range names {
			ps = append(ps, &jetstream.PeerInfo{Name: name})
		}
		return ps
	}
	for _, tc := range []struct {
		name    string
		cluster *jetstream.ClusterInfo
		leader  bool
	}{
		{"no cluster", nil, true},
		{"the leader lists the others", &jetstream.ClusterInfo{Leader: "a", Replicas: peers("b", "c")}, true},
		{"one replica", &jetstream.ClusterInfo{Leader: "a"}, true},
		{"a follower lists the leader", &jetstream.ClusterInfo{Leader: "a", Replicas: peers("a", "c")}, false},
		{"a follower without a leader", &jetstream.ClusterInfo{Replicas: peers("a", "c")}, false},
	} {
		if got := (StreamInfo{Cluster: tc.cluster}).byLeader(); got != tc.leader {
			t.Errorf("%s: taken for the leader's word: %v", tc.name, got)
		}
	}
}
