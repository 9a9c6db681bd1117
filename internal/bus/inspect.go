package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
)

// StreamInfo is what a server says of a fleet's stream.
type StreamInfo struct {
	Name, Epoch string
	Server      string // version of the server asked
	First, Last uint64
	LastTime    time.Time // of Last; zero when there is none
	Created     time.Time
	Now         time.Time     // of the server that answered
	Horizon     time.Duration // the longest that a node of the fleet may serve without renewing its lease
	Config      jetstream.StreamConfig
	State       jetstream.StreamState
	Cluster     *jetstream.ClusterInfo
	Problems    []Problem // what is not as it has to be

	raw json.RawMessage // the configuration, with what this client does not know
}

// byLeader says whether the answer is the leader's. A server that only follows answers from its own store, too, for ten seconds
// after it was started and while it believes that nobody leads. It does not list itself among the replicas; so it lists the
// leader there, or names none.
func (s StreamInfo) byLeader() bool {
	if s.Cluster == nil {
		return true
	}
	return s.Cluster.Leader != "" && !slices.ContainsFunc(s.Cluster.Replicas, func(p *jetstream.PeerInfo) bool {
		return p.Name == s.Cluster.Leader
	})
}

// Fatal returns an error naming every field that keeps the fleet from working, nil if there is none.
func (s StreamInfo) Fatal() error {
	var texts []string
	for _, p := range s.Problems {
		if p.Fatal {
			texts = append(texts, p.String())
		}
	}
	if texts == nil {
		return nil
	}
	return fmt.Errorf("stream %s: %s; correct it where it is provisioned, or run `lethe-publisher stream init`",
		s.Name, strings.Join(texts, "; "))
}

// Inspect asks for the fleet's stream and compares its configuration with what it has to be. It changes nothing. The error
// is ErrNoStream, a server that is too old, or what kept it from asking; problems of the configuration are no error here.
func Inspect(ctx context.Context, nc *nats.Conn, fleet string) (StreamInfo, error) {
	if err := event.CheckFleet(fleet); err != nil {
		return StreamInfo{}, err
	}
	if err := checkServer(nc); err != nil {
		return StreamInfo{}, err
	}
	return inspect(ctx, nc, fleet, request)
}

// requester sends a request and returns its answer.
type requester func(ctx context.Context, nc *nats.Conn, m *nats.Msg) (*nats.Msg, error)

func request(ctx context.Context, nc *nats.Conn, m *nats.Msg) (*nats.Msg, error) {
	return nc.RequestMsgWithContext(ctx, m)
}

func inspect(ctx context.Context, nc *nats.Conn, fleet string, ask requester) (StreamInfo, error) {
	name := event.StreamName(fleet)
	answer, err := ask(ctx, nc, &nats.Msg{Subject: "$JS.API.STREAM.INFO." + name})
	if errors.Is(err, nats.ErrNoResponders) {
		return StreamInfo{}, errors.New("the server has no JetStream for this account: enable it")
	}
	if err != nil {
		return StreamInfo{}, fmt.Errorf("stream %s: ask for it: %w", name, err)
	}
	var body struct {
		Error *jetstream.APIError `json:"error"`
		jetstream.StreamInfo
	}
	if err := json.Unmarshal(answer.Data, &body); err != nil {
		return StreamInfo{}, fmt.Errorf("stream %s: its description is unreadable: %w", name, err)
	}
	if body.Error != nil {
		if body.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound {
			return StreamInfo{}, fmt.Errorf("stream %s: %w", name, ErrNoStream)
		}
		return StreamInfo{}, fmt.Errorf("stream %s: %w", name, body.Error)
	}
	s := StreamInfo{
		Name: name, Epoch: body.Config.Metadata[metadataEpoch], Server: nc.ConnectedServerVersion(),
		First: body.State.FirstSeq, Last: body.State.LastSeq, LastTime: body.State.LastTime,
		Created: body.Created, Now: body.TimeStamp, Horizon: horizonOf(body.Config.Metadata), Config: body.Config, State: body.State, Cluster: body.Cluster,
	}
	if s.First > s.Last {
		s.LastTime = time.Time{}
	}
	if s.raw, err = rawConfig(answer.Data); err != nil {
		return StreamInfo{}, fmt.Errorf("stream %s: its description is unreadable: %w", name, err)
	}
	s.Problems = problems(s.Config, fleet)
	return s, nil
}

// rawConfig is the configuration in the description of a stream or a consumer.
func rawConfig(answer []byte) (json.RawMessage, error) {
	var body struct {
		Config json.RawMessage `json:"config"`
	}
	err := json.Unmarshal(answer, &body)
	return body.Config, err
}

// checkServer refuses servers without batched Direct Get.
func checkServer(nc *nats.Conn) error {
	version := nc.ConnectedServerVersion()
	if version == "" {
		return errors.New("not connected to a NATS server")
	}
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	legible := errA == nil && errB == nil // a version scheme of another time may try
	if legible && (a < 2 || a == 2 && b < 11) {
		return fmt.Errorf("the NATS server %s runs version %s, at least 2.11 is needed (for batched Direct Get): upgrade it",
			Redact(nc.ConnectedUrl()), version)
	}
	return nil
}
