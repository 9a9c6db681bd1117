package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
)

var errNoConsumer = errors.New("there is no such consumer")

// call asks JetStream's API and reads its answer into reply.
func (b *Bus) call(ctx context.Context, what string, body, reply any) error {
	return callBy(ctx, b.nc, b.request, what, body, reply)
}

func callBy(ctx context.Context, nc *nats.Conn, ask requester, what string, body, reply any) error {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askFor) // a server that has just started may have heard nothing
	defer cancel()
	answer, err := ask(ctx, nc, &nats.Msg{Subject: "$JS.API." + what, Data: data})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	var no struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &no); err != nil {
		return fmt.Errorf("%s: the answer is unreadable: %w", what, err)
	}
	switch {
	case no.Error == nil:
	case no.Error.ErrorCode == jetstream.JSErrCodeConsumerNotFound:
		return fmt.Errorf("%s: %w", what, errNoConsumer)
	case no.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound:
		return fmt.Errorf("%s: %w", what, ErrNoStream)
	default:
		return fmt.Errorf("%s: %w", what, no.Error)
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Data, reply); err != nil {
		return fmt.Errorf("%s: the answer is unreadable: %w", what, err)
	}
	return nil
}

func (d *Durable) info(ctx context.Context) (ci jetstream.ConsumerInfo, err error) {
	err = d.b.call(ctx, "CONSUMER.INFO."+d.b.stream+"."+d.name, nil, &ci)
	return ci, err
}

// make asks for a consumer; action is "create", "update" or "" for whichever is needed.
func (d *Durable) make(ctx context.Context, stream, action string, cfg any) error {
	body := struct {
		Stream string `json:"stream_name"`
		Config any    `json:"config"`
		Action string `json:"action"`
	}{stream, cfg, action}
	err := d.b.call(ctx, "CONSUMER.CREATE."+stream+"."+d.name, body, nil)
	var no *jetstream.APIError
	if errors.As(err, &no) && no.ErrorCode == errConsumersMost {
		return fmt.Errorf("%w; raise max_consumers of the stream or the account", err)
	}
	return err
}

// refused says that the server could not write a consumer's configuration. The consumer may be there
// all the same.
func refused(err error) bool {
	var no *jetstream.APIError
	return errors.As(err, &no) && no.ErrorCode == jetstream.JSErrCodeConsumerCreate
}

// Keys of a consumer's metadata.
const (
	metaReceiver = "lethe-receiver" // the receiver's name
	metaVersion  = "lethe-version"  // of who last set the filters
	metaFilters  = "lethe-filters"
	metaSince    = "lethe-since"   // when who last set the filters registered, Unix nanoseconds
	metaThrough  = "lethe-through" // everything up to this sequence was handled, or the receiver was told that it was not
	metaOwes     = "lethe-owes"    // why the receiver has to be told that it lost events; it was not yet
	metaTold     = "lethe-told"    // it was told of this consumer's making
)

// newConsumer is the consumer that nodes share. One message is in hand at a time, so that a receiver's events stay in order.
func (d *Durable) newConsumer(metadata map[string]string) jetstream.ConsumerConfig {
	subjects := make([]string, 0, len(d.cfg.Subjects))
	for _, s := range d.cfg.Subjects {
		subjects = append(subjects, event.LogSubject(d.b.cfg.Fleet, s))
	}
	return jetstream.ConsumerConfig{
		Durable: d.name, Name: d.name, Description: "the receiver " + d.cfg.Receiver + " of Lethe, once per fleet",
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: d.cfg.AckWait, MaxDeliver: -1, MaxAckPending: 1,
		FilterSubjects: subjects, Metadata: metadata,
	}
}

// update changes the consumer as it is: its metadata, and what change says. Fields that this client does not know stay.
func (d *Durable) update(ctx context.Context, change func(*jetstream.ConsumerConfig)) error {
	var body struct {
		Config json.RawMessage `json:"config"`
	}
	if err := d.b.call(ctx, "CONSUMER.INFO."+d.b.stream+"."+d.name, nil, &body); err != nil {
		return err
	}
	var was jetstream.ConsumerConfig
	if err := json.Unmarshal(body.Config, &was); err != nil {
		return fmt.Errorf("consumer %s: its description is unreadable: %w", d.name, err)
	}
	is := was
	is.Metadata = maps.Clone(was.Metadata)
	maps.DeleteFunc(is.Metadata, func(key, _ string) bool { return strings.HasPrefix(key, "_nats.") }) // the server's own
	if is.Metadata == nil {
		is.Metadata = map[string]string{}
	}
	change(&is)
	cfg, err := merged(body.Config, was, is)
	if err != nil {
		return fmt.Errorf("consumer %s: %w", d.name, err)
	}
	return d.make(ctx, d.b.stream, "update", cfg)
}
