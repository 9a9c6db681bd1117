package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
)

// lookFor bounds one look at the consumer.
const lookFor = 10 * time.Second

// look compares the consumer with its stream, makes it where there is none, and has the receiver told when it lost events. The
// order of the questions matters.
//
//  1. The node's own position: all up to it is in the stream.
//  2. The consumer. With nothing waiting and nothing in hand, all up to 1 was handled. Its floor is what was acknowledged, or where
//     the server has put it because the stream begins there by now.
//  3. The stream. If it begins at or below what was known before to be handled, the floor of 2 was not moved by the server.
func (d *Durable) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	v := d.b.board.look()
	ci, err := d.info(ctx)
	if errors.Is(err, errNoConsumer) {
		if ci, err = d.create(ctx); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	s, _, err := d.b.look(ctx)
	if err != nil {
		return err
	}
	if err := d.ensureDead(ctx, s); err != nil {
		return err
	}
	d.weigh(ci)
	if l := d.judge(ci, s); l.cause != "" {
		return d.lost(ctx, ci, s, l)
	}
	d.known.created, d.known.epoch = ci.Created, s.Epoch
	d.known.through = max(d.known.through, through(ci), ci.AckFloor.Stream)
	if v.Standing && v.Epoch == s.Epoch && ci.NumPending == 0 && ci.NumAckPending == 0 {
		d.known.through = max(d.known.through, v.Cursor)
	}
	return d.settle(ctx, ci, s)
}

// through is what the consumer's metadata says was handled.
func through(ci jetstream.ConsumerInfo) uint64 {
	n, err := strconv.ParseUint(ci.Config.Metadata[metaThrough], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// create makes the consumer, from the present end of the stream on. A node that knew one before notes that the receiver is owed the
// word of it, so that it is told whatever becomes of this node. Losing the race to make it is as good as winning.
func (d *Durable) create(ctx context.Context) (jetstream.ConsumerInfo, error) {
	s, _, err := d.b.look(ctx)
	if err != nil {
		return jetstream.ConsumerInfo{}, err
	}
	owes := ""
	switch {
	case d.known.created.IsZero():
	case d.known.epoch != s.Epoch:
		owes = "the stream was made anew"
	default:
		owes = "the consumer was removed"
	}
	cfg := d.newConsumer(map[string]string{
		metaReceiver: d.cfg.Receiver, metaVersion: d.cfg.Version, metaFilters: d.cfg.Filters, metaSince: d.age(),
		metadataEpoch: s.Epoch, metaThrough: strconv.FormatUint(s.Last, 10), metaOwes: owes,
	})
	// A sequence, and not "new": what is stored before the server acts on this is given to the receiver.
	cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, s.Last+1
	err = d.make(ctx, d.b.stream, "create", cfg)
	if ci, err2 := d.info(ctx); err2 == nil {
		return ci, nil
	}
	if err == nil {
		err = errors.New("it was made and is gone again")
	}
	return jetstream.ConsumerInfo{}, err
}

func (d *Durable) age() string { return strconv.FormatInt(d.since.UnixNano(), 10) }

// loss is why a receiver has to be told that it lost events. All nodes that find out about it at once have the same id for it.
type loss struct {
	cause, id string
}

// judge says what was lost.
func (d *Durable) judge(ci jetstream.ConsumerInfo, s StreamInfo) loss {
	meta := ci.Config.Metadata
	same := d.known.created.Equal(ci.Created)
	handled := through(ci)
	if same {
		handled = max(handled, d.known.through)
	}
	doubtful := "doubt" + strconv.FormatInt(time.Now().Unix()/60, 10) // nodes find out about it one after the other
	switch {
	case meta[metaOwes] != "":
		return loss{cause: meta[metaOwes], id: "new"}
	case meta[metadataEpoch] != s.Epoch:
		return loss{cause: "the stream is another", id: s.Epoch}
	case !same && !d.known.created.IsZero() && meta[metaTold] == "":
		return loss{cause: "the consumer was made anew", id: "new"}
	case handled > s.Last: // the server has put the consumer at the stream's end
		return loss{cause: "the stream went back", id: doubtful}
	case s.First > handled+1:
		return loss{cause: "the stream no longer has what comes next", id: strconv.FormatUint(through(ci), 10)}
	case d.doubt.Load():
		return loss{cause: "the stream lost messages", id: doubtful}
	}
	return loss{}
}

// lost has the receiver told: a call is ordered on the stream of dead letters, which one node gets, and another if that one dies over
// it. Only when the order is stored does the consumer's metadata say so; the server drops repetitions under the same id.
func (d *Durable) lost(ctx context.Context, ci jetstream.ConsumerInfo, s StreamInfo, l loss) error {
	meta := ci.Config.Metadata
	seen := fmt.Sprint(ci.Created.UnixNano(), l.cause, meta[metaOwes], meta[metadataEpoch], meta[metaThrough])
	if d.ordered != seen || d.doubt.Load() { // else the consumer could not be changed since
		id := fmt.Sprintf("reset-%s-%d-%s", d.name, ci.Created.UnixNano(), l.id)
		if err := d.orderReset(ctx, id, l.cause, event.NewToken(d.b.cfg.Fleet, s.Epoch, s.Last)); err != nil {
			return fmt.Errorf("to tell it that it lost events (%s): %w", l.cause, err)
		}
		d.b.cfg.Logger.Warn("a once-per-fleet receiver lost events: it is told", "receiver", d.cfg.Receiver, "cause", l.cause)
		d.ordered = seen
		d.doubt.Store(false)
		d.known = durableState{created: ci.Created, epoch: s.Epoch, through: s.Last}
	}
	return d.goOn(ci, d.update(ctx, func(c *jetstream.ConsumerConfig) {
		c.Metadata[metadataEpoch], c.Metadata[metaThrough] = s.Epoch, strconv.FormatUint(s.Last, 10)
		delete(c.Metadata, metaOwes)
		c.Metadata[metaTold] = "yes"
	}))
}

// goOn passes over the server's refusal to change a consumer that has this node's filters. A server
// refuses when its disk is full, or when the consumer's folder is gone: it removes the folder of a
// deleted consumer after it has told the nodes, and so may remove that of the consumer which a node
// has made meanwhile. Such a consumer hands out events all the same. The next look asks again.
func (d *Durable) goOn(ci jetstream.ConsumerInfo, err error) error {
	if !refused(err) || ci.Config.Metadata[metaFilters] != d.cfg.Filters {
		return err
	}
	d.unchanged(d.pulls[onLog].stream, err)
	return nil
}

// unchanged logs, once, that the server does not change a consumer.
func (d *Durable) unchanged(stream string, err error) {
	if text := err.Error(); text != d.denial {
		d.denial = text
		d.b.cfg.Logger.Warn("the server does not change a consumer of a once-per-fleet receiver; the receiver gets its events all the same",
			"receiver", d.cfg.Receiver, "stream", stream, "error", err)
	}
}

// settle brings the consumer's configuration up to date: what was handled, seldom, and the filters of the youngest version.
func (d *Durable) settle(ctx context.Context, ci jetstream.ConsumerInfo, s StreamInfo) error {
	meta := ci.Config.Metadata
	mine := meta[metaFilters] == d.cfg.Filters
	older := false
	if since, err := strconv.ParseInt(meta[metaSince], 10, 64); err == nil && !mine {
		older = d.since.UnixNano() < since
	}
	// An older version takes over only when nobody of the younger is left.
	d.standby = older && (ci.NumWaiting > 0 || ci.NumAckPending > 0)
	behind := d.known.through - through(ci)
	note := behind > 64 && behind > (s.Last-s.First)/8
	take := !mine && !d.standby
	first := d.checked.IsZero() && !d.standby // of versions that differ in AckWait the one that began last is right
	if !take && !note && (!first || ci.Config.AckWait == d.cfg.AckWait) {
		return nil
	}
	return d.goOn(ci, d.update(ctx, func(c *jetstream.ConsumerConfig) {
		c.Metadata[metaThrough] = strconv.FormatUint(d.known.through, 10)
		if d.standby {
			return
		}
		fresh := d.newConsumer(nil)
		c.FilterSubject, c.FilterSubjects = "", fresh.FilterSubjects
		if take || first {
			c.AckWait = fresh.AckWait
		}
		c.Metadata[metaFilters], c.Metadata[metaVersion] = d.cfg.Filters, d.cfg.Version
		if take {
			c.Metadata[metaSince] = d.age()
		}
	}))
}

// ensureDead makes the stream of dead letters and this receiver's consumer on it, once a connection.
func (d *Durable) ensureDead(ctx context.Context, s StreamInfo) error {
	p := &d.pulls[onDead]
	if p.made == d.conn && d.conn != 0 {
		return nil
	}
	fleet := d.b.cfg.Fleet
	if d.b.cfg.External {
		if _, err := inspectDead(ctx, d.b.nc, fleet, d.b.request); err != nil {
			return err
		}
	} else if err := ensureDead(ctx, d.b.nc, fleet, s.Config, d.b.request); err != nil {
		return err
	}
	err := d.make(ctx, p.stream, "", jetstream.ConsumerConfig{
		Durable: d.name, Name: d.name, Description: "calls ordered of the receiver " + d.cfg.Receiver + " of Lethe",
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: d.cfg.AckWait, MaxDeliver: -1, MaxAckPending: 1,
		FilterSubjects: []string{AgainSubject(fleet, ReceiverToken(d.cfg.Receiver))},
		Metadata:       map[string]string{metaReceiver: d.cfg.Receiver},
	})
	// The server writes the configuration of one that is there as well, and may refuse to. A pull
	// tells if it is not there.
	if p.denied = refused(err); p.denied {
		d.unchanged(p.stream, err)
		err = nil
	}
	if err == nil {
		p.made = d.conn
	}
	return err
}
