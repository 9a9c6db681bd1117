package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What the stream of dead letters is made with. An operator may change all but the subjects. Where a server has less room for it
// than deadBytes, it is made smaller.
const (
	deadAge        = 30 * 24 * time.Hour
	deadBytes      = 1 << 30
	deadBytesLeast = 16 << 20
)

// Error codes of the server, which the client does not name, for a stream that does not fit.
const (
	errMemoryExceeded  jetstream.ErrorCode = 10028
	errStorageExceeded jetstream.ErrorCode = 10047
)

// EnsureDead makes the stream of dead letters be there, with the storage and the replicas of the fleet's stream, which has to be
// there. One that is there stays as it is, unless its subjects are others.
func EnsureDead(ctx context.Context, nc *nats.Conn, fleet string) error {
	s, err := Inspect(ctx, nc, fleet)
	if err != nil {
		return err
	}
	return ensureDead(ctx, nc, fleet, s.Config, request)
}

// deadConfig is the stream of dead letters of a fleet whose stream is like log.
func deadConfig(fleet string, log jetstream.StreamConfig) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: DeadStream(fleet), Description: "what once-per-fleet receivers of the fleet " + fleet + " could not handle",
		Subjects:  []string{DeadSubject(fleet, ">")},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, Storage: log.Storage, Replicas: log.Replicas,
		MaxAge: deadAge, MaxBytes: deadBytes, MaxMsgs: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
		Duplicates: streamDuplicates, AllowDirect: true,
	}
}

// ErrNoDead says that the fleet has no stream of dead letters.
var ErrNoDead = errors.New("the fleet has no stream of dead letters; a node with a once-per-fleet receiver, or `lethe-publisher deadletters init`, makes it")

// InspectDead asks for the stream of dead letters; ErrNoDead when there is none.
func InspectDead(ctx context.Context, nc *nats.Conn, fleet string) (jetstream.StreamInfo, error) {
	return inspectDead(ctx, nc, fleet, request)
}

func inspectDead(ctx context.Context, nc *nats.Conn, fleet string, ask requester) (s jetstream.StreamInfo, err error) {
	err = callBy(ctx, nc, ask, "STREAM.INFO."+DeadStream(fleet), nil, &s)
	if errors.Is(err, ErrNoStream) {
		err = ErrNoDead
	}
	return s, err
}

func ensureDead(ctx context.Context, nc *nats.Conn, fleet string, log jetstream.StreamConfig, ask requester) error {
	want := deadConfig(fleet, log)
	is, err := inspectDead(ctx, nc, fleet, ask)
	if err == nil {
		if slices.Equal(is.Config.Subjects, want.Subjects) {
			return nil
		}
		var body struct {
			Config json.RawMessage `json:"config"`
		}
		if err := callBy(ctx, nc, ask, "STREAM.INFO."+DeadStream(fleet), nil, &body); err != nil {
			return err
		}
		mended := is.Config
		mended.Subjects = want.Subjects
		return update(ctx, nc, body.Config, is.Config, mended, ask)
	}
	if !errors.Is(err, ErrNoDead) {
		return err
	}
	for {
		err = createStream(ctx, nc, want, ask)
		var no *jetstream.APIError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &no):
			return err
		case no.ErrorCode == jetstream.JSErrCodeStreamNameInUse:
			return nil
		case (no.ErrorCode == errStorageExceeded || no.ErrorCode == errMemoryExceeded) && want.MaxBytes > deadBytesLeast:
			want.MaxBytes /= 4
		default:
			return fmt.Errorf("dead letters: %w", err)
		}
	}
}
