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

	"github.com/lethe-cache/lethe/pkg/event"
)

// EnsureOptions of Ensure.
type EnsureOptions struct {
	Replicas int    // of a stream that is created; 0 = min(3, servers)
	Memory   bool   // a stream that is created is kept in memory: gone with its servers
	Seen     uint64 // highest sequence ever seen: a stream that is created begins above it
	Consumer bool   // nodes follow by consumers: the stream need not republish what it stores

	mended func(Problem) // is told of each field that was changed; nil = nobody is
}

// newEpoch names a stream for good: 80 random bits, lower-case letters and digits.
func newEpoch() string { return strings.ToLower(rand.Text())[:16] }

// Ensure makes the fleet's stream be there and be as it has to be. Of several who create it at once one wins and the others
// adopt what it made. An existing stream keeps its epoch, storage, replicas and limits; what is wrong and can be changed is
// changed. The error names the field that is wrong for good, or the permission that is missing.
func Ensure(ctx context.Context, nc *nats.Conn, fleet string, o EnsureOptions) (StreamInfo, error) {
	if err := event.CheckFleet(fleet); err != nil {
		return StreamInfo{}, err
	}
	if err := checkServer(nc); err != nil {
		return StreamInfo{}, err
	}
	return ensure(ctx, nc, fleet, o, request)
}

func ensure(ctx context.Context, nc *nats.Conn, fleet string, o EnsureOptions, ask requester) (StreamInfo, error) {
	look := func() (StreamInfo, error) {
		s, err := inspect(ctx, nc, fleet, ask)
		if o.Consumer {
			s = s.silent()
		}
		return s, err
	}
	info, err := look()
	if errors.Is(err, ErrNoStream) {
		if err := create(ctx, nc, fleet, o, ask); err != nil {
			return StreamInfo{}, err
		}
		info, err = look()
	}
	if err != nil {
		return StreamInfo{}, err
	}
	changed := info.Config
	wrong := false
	for _, p := range info.Problems {
		if p.fix != nil {
			p.fix(&changed)
			wrong = true
		}
	}
	if wrong {
		if err := update(ctx, nc, info.raw, info.Config, changed, ask); err != nil {
			return info, err
		}
		for _, p := range info.Problems {
			if p.fix != nil && o.mended != nil {
				o.mended(p)
			}
		}
		if info, err = look(); err != nil {
			return StreamInfo{}, err
		}
	}
	return info, info.Fatal()
}

// create makes a new stream. Its numbers begin above all that were ever seen, so that no token of an earlier one is
// mistaken for one of this. Losing the race to create it is as good as winning.
func create(ctx context.Context, nc *nats.Conn, fleet string, o EnsureOptions, ask requester) error {
	cfg := newStream(fleet, newEpoch(), !o.Consumer)
	cfg.FirstSeq = max(o.Seen+1, uint64(time.Now().UnixMilli()))
	if o.Memory {
		cfg.Storage = jetstream.MemoryStorage
	}
	sizes := []int{o.Replicas}
	if o.Replicas == 0 {
		sizes = []int{1}
		if nc.ConnectedClusterName() != "" {
			sizes = []int{3, 2, 1}
		}
	}
	var err error
	try := func() error { return createStream(ctx, nc, cfg, ask) }
	for i := range sizes {
		if cfg.Replicas = sizes[i]; i == 0 {
			err = assembled(ctx, try)
		} else {
			err = try()
		}
		var no *jetstream.APIError
		switch {
		case !errors.As(err, &no):
			return err
		case no.ErrorCode == jetstream.JSErrCodeStreamNameInUse:
			return nil
		case no.ErrorCode != errInsufficientPeers && no.ErrorCode != errReplicasNotSupported && no.ErrorCode != errNoPeers:
			return err
		}
	}
	return err
}

// assembleFor is how long a cluster that is too small for so many replicas may take to assemble before fewer are made do with: a
// stream that begins with two keeps two, and stands still with the first server that fails.
const (
	assembleFor   = 2 * time.Second
	assembleEvery = 200 * time.Millisecond
)

// assembled repeats try while there are too few servers.
func assembled(ctx context.Context, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, assembleFor)
	defer cancel()
	for {
		err := try()
		var no *jetstream.APIError
		if !errors.As(err, &no) || no.ErrorCode != errInsufficientPeers && no.ErrorCode != errNoPeers {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(assembleEvery):
		}
	}
}

// Error codes of the server that the client does not name: too few servers for so many replicas.
const (
	errNoPeers              jetstream.ErrorCode = 10005
	errInsufficientPeers    jetstream.ErrorCode = 10023
	errReplicasNotSupported jetstream.ErrorCode = 10074
)

// createStream makes a stream.
func createStream(ctx context.Context, nc *nats.Conn, cfg jetstream.StreamConfig, ask requester) error {
	body, err := json.Marshal(cfg)
	if err != nil {
		return fmt.Errorf("stream %s: %w", cfg.Name, err)
	}
	return manage(ctx, nc, "CREATE", cfg.Name, body, ask)
}

// update changes of a stream's configuration, which is raw, what differs between was and is.
func update(ctx context.Context, nc *nats.Conn, raw json.RawMessage, was, is jetstream.StreamConfig, ask requester) error {
	body, err := merged(raw, was, is)
	if err != nil {
		return fmt.Errorf("stream %s: %w", is.Name, err)
	}
	return manage(ctx, nc, "UPDATE", is.Name, body, ask)
}

func manage(ctx context.Context, nc *nats.Conn, verb, name string, body []byte, ask requester) error {
	answer, err := ask(ctx, nc, &nats.Msg{Subject: "$JS.API.STREAM." + verb + "." + name, Data: body})
	if err != nil {
		return fmt.Errorf("stream %s: %s it: %w", name, strings.ToLower(verb), err)
	}
	var reply struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &reply); err != nil {
		return fmt.Errorf("stream %s: %s it: the answer is unreadable: %w", name, strings.ToLower(verb), err)
	}
	if reply.Error != nil {
		return fmt.Errorf("stream %s: %s it: %w", name, strings.ToLower(verb), reply.Error)
	}
	return nil
}
