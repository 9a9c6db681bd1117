package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What a consumer is made with, and how long its removal may take.
const (
	heartbeat = 5 * time.Second  // without a message; two missed, and it counts as gone
	inactive  = 30 * time.Second // without anybody listening; then the server removes it
	removeFor = time.Second
)

func newConsumerName() string { return "lethe-" + strings.ToLower(rand.Text()[:16]) }

func (c *consumed) api(verb, name string) string {
	return "$JS.API.CONSUMER." + verb + "." + c.stream + "." + name
}

// create makes a consumer. It keeps nothing: no acks, no disk, one replica.
func (c *consumed) create(ctx context.Context, name, deliver string) error {
	body, err := json.Marshal(map[string]any{
		"stream_name": c.stream, "action": "create",
		"config": jetstream.ConsumerConfig{
			Name: name, Description: "the node " + c.node + " of Lethe", DeliverSubject: deliver,
			DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckNonePolicy, MaxDeliver: 1,
			FlowControl: true, IdleHeartbeat: heartbeat, InactiveThreshold: inactive, MemoryStorage: true, Replicas: 1,
		},
	})
	if err != nil {
		return fmt.Errorf("make a consumer: %w", err)
	}
	answer, err := c.ask(ctx, c.nc, &nats.Msg{Subject: c.api("CREATE", name), Data: body})
	if errors.Is(err, nats.ErrNoResponders) {
		return errors.New("the server has no JetStream for this account: enable it")
	}
	if err != nil {
		return fmt.Errorf("make a consumer of %s: %w", c.stream, err)
	}
	var reply struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &reply); err != nil {
		return fmt.Errorf("make a consumer of %s: the answer is unreadable: %w", c.stream, err)
	}
	switch no := reply.Error; {
	case no == nil:
		return nil
	case no.ErrorCode == jetstream.JSErrCodeStreamNotFound:
		return fmt.Errorf("make a consumer of %s: %w", c.stream, ErrNoStream)
	case no.ErrorCode == errConsumersMost:
		return fmt.Errorf("make a consumer of %s: %w; raise max_consumers of the stream or the account, or let nodes follow what is republished", c.stream, no)
	default:
		return fmt.Errorf("make a consumer of %s: %w", c.stream, no)
	}
}

// errConsumersMost is the server's error code, which the client does not name, for too many consumers.
const errConsumersMost jetstream.ErrorCode = 10026
