package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Redrives orders that receivers are called with dead letters again. It is for one goroutine.
type Redrives struct {
	nc      *nats.Conn
	fleet   string
	ordered map[string]map[uint64]bool // by receiver: letters of which a call is ordered and not made yet
}

// NewRedrives is for letters of one fleet.
func NewRedrives(nc *nats.Conn, fleet string) *Redrives {
	return &Redrives{nc: nc, fleet: fleet, ordered: make(map[string]map[uint64]bool)}
}

// Redrive orders that the letter's receiver is called with it again. The letter is removed when that has succeeded.
func Redrive(ctx context.Context, nc *nats.Conn, fleet string, l Letter) error {
	return NewRedrives(nc, fleet).Order(ctx, l)
}

// Order orders that the letter's receiver is called with it once more. A letter of which a call is ordered already is not ordered
// again, and neither is one that is gone: its receiver has succeeded.
//
// Orders that are not carried out yet stand in the stream and are looked through once. Two that are given at the same moment have one
// id, by which the server drops the second. It remembers ids for two minutes, also of orders that were carried out since. A call that has
// failed since is ordered anew, under an id that tells which order it follows.
func (r *Redrives) Order(ctx context.Context, l Letter) error {
	err := r.order(ctx, l)
	if err != nil {
		return fmt.Errorf("letter %d: %w", l.Sequence, err)
	}
	return nil
}

func (r *Redrives) order(ctx context.Context, l Letter) error {
	ordered, err := r.pending(ctx, l.Receiver)
	if err != nil || ordered[l.Sequence] {
		return err
	}
	id := fmt.Sprintf("redrive-%s-%d", ConsumerName(l.Receiver), l.Sequence)
	for {
		if there, err := r.there(ctx, l.Sequence); err != nil || !there {
			return err // the receiver has succeeded with it
		}
		m := Order(r.fleet, l.msg, l.Sequence)
		m.Header["Nats-Msg-Id"] = []string{id}
		sequence, again, err := r.publish(ctx, m)
		if err != nil {
			return err
		}
		if !again {
			break
		}
		if there, err := r.there(ctx, sequence); err != nil || there {
			return err // it waits to be carried out
		}
		id += "-" + strconv.FormatUint(sequence, 10)
	}
	ordered[l.Sequence] = true
	return nil
}

// publish returns where an order is stored, and whether that was before.
func (r *Redrives) publish(ctx context.Context, m *nats.Msg) (sequence uint64, again bool, err error) {
	answer, err := request(ctx, r.nc, m)
	if err != nil {
		return 0, false, err
	}
	var body struct {
		Error     *jetstream.APIError `json:"error"`
		Duplicate bool                `json:"duplicate"`
		ack
	}
	if err := json.Unmarshal(answer.Data, &body); err != nil {
		return 0, false, fmt.Errorf("the server's answer is unreadable: %w", err)
	}
	if body.Error != nil {
		return 0, false, body.Error
	}
	if body.Stream != DeadStream(r.fleet) || body.Sequence == 0 {
		return 0, false, errNotStored
	}
	return body.Sequence, body.Duplicate, nil
}

// pending has the letters of a receiver of which a call is ordered, as it was when it was asked first.
func (r *Redrives) pending(ctx context.Context, receiver string) (map[uint64]bool, error) {
	if known := r.ordered[receiver]; known != nil {
		return known, nil
	}
	found := make(map[uint64]bool)
	err := deadMessages(ctx, r.nc, r.fleet, AgainSubject(r.fleet, ReceiverToken(receiver)), 0, func(m *nats.Msg, _ uint64) bool {
		if letter, err := strconv.ParseUint(last(m.Header, HeaderLetter), 10, 64); err == nil {
			found[letter] = true
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	r.ordered[receiver] = found
	return found, nil
}

// there says whether the stream of dead letters has a message of a sequence.
func (r *Redrives) there(ctx context.Context, sequence uint64) (is bool, err error) {
	err = deadMessages(ctx, r.nc, r.fleet, DeadSubject(r.fleet, ">"), sequence, func(_ *nats.Msg, found uint64) bool {
		is = found == sequence
		return false
	})
	return is, err
}
