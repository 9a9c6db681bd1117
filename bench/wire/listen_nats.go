package wire

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Subjects of the contenders that are no Lethe. Their streams look as a fleet's does: one
// republishes, one has consumers that pull, and one such that are pushed to, so that nobody's message goes to another's listeners.
const (
	plainSubject = "plain.v1.live.bench.fn.bench.f"
	rawStream    = "RAW"
	rawLog       = "rawly.v1.log.bench."
	rawLive      = "rawly.v1.live.bench."
	orderStream  = "ORDER"
	orderLog     = "order.v1.log.bench."
	pushStream   = "PUSH"
	pushLog      = "push.v1.log.bench."
)

func listenCore(_ context.Context, url string, h hearing) (listener, error) {
	return subscribe(url, plainSubject, h)
}

func listenRepublished(_ context.Context, url string, h hearing) (listener, error) {
	return subscribe(url, rawLive+">", h)
}

func subscribe(url, subject string, h hearing, opts ...nats.SubOpt) (listener, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return listener{}, err
	}
	hear := func(m *nats.Msg) { h.arrived(time.Now().UnixNano(), m.Data) }
	if len(opts) == 0 {
		_, err = nc.Subscribe(subject, hear)
	} else {
		var js nats.JetStreamContext
		if js, err = nc.JetStream(); err == nil {
			_, err = js.Subscribe(subject, hear, opts...)
		}
	}
	if err == nil {
		err = nc.FlushTimeout(patience)
	}
	if err != nil {
		nc.Close()
		return listener{}, err
	}
	return listener{close: nc.Close}, nil
}

// listenOrderedPush is the ordered consumer of the client's older API, to which the server pushes.
func listenOrderedPush(_ context.Context, url string, h hearing) (listener, error) {
	return subscribe(url, pushLog+">", h, nats.OrderedConsumer(), nats.DeliverNew(), nats.BindStream(pushStream))
}

// listenOrdered is the ordered consumer of the client's present API, which pulls.
func listenOrdered(ctx context.Context, url string, h hearing) (listener, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return listener{}, err
	}
	c, err := consume(ctx, nc, func(m jetstream.Msg) { h.arrived(time.Now().UnixNano(), m.Data()) })
	if err != nil {
		nc.Close()
		return listener{}, err
	}
	return listener{close: func() {
		c.Stop()
		nc.Close()
	}}, nil
}

func consume(ctx context.Context, nc *nats.Conn, hear func(jetstream.Msg)) (jetstream.ConsumeContext, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	consumer, err := js.OrderedConsumer(ctx, orderStream, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy})
	if err != nil {
		return nil, err
	}
	c, err := consumer.Consume(hear)
	if err == nil {
		err = nc.FlushTimeout(patience)
	}
	return c, err
}
