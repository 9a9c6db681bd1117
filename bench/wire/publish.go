package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/rueidis"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// post publishes what was prepared for a key.
type post func(context.Context) error

// publisher is the side that says it, of every contender; each has a connection of its own.
type publisher struct {
	lethe *lethe.Node
	nc    *nats.Conn
	js    jetstream.JetStream
	redis rueidis.Client
	size  int // of a plain message: as many bytes as headers and body of Lethe's have where a node hears them
}

// makeStream opens a node that makes the fleet's stream: a publisher makes none.
func makeStream(ctx context.Context, url string) error {
	n, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: fleet})
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return errors.Join(n.Ready(within), n.Close())
}

// newPublisher is connected to everything, and has made the streams that peers need.
func newPublisher(ctx context.Context, e *suite.Env, url string) (p *publisher, err error) {
	stop, err := profile("publisher")
	if err != nil {
		return nil, err
	}
	e.Defer(stop)
	if err := makeStream(ctx, url); err != nil {
		return nil, err
	}
	p = &publisher{}
	p.lethe, err = lethe.Open(ctx, lethe.Config{URL: url, Fleet: fleet, PublishOnly: true})
	if err != nil {
		return nil, err
	}
	e.Defer(p.lethe.Close)
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.lethe.Ready(within); err != nil {
		return nil, err
	}
	if p.nc, err = nats.Connect(url); err != nil {
		return nil, err
	}
	nc := p.nc
	e.Defer(func() error { nc.Close(); return nil })
	if p.js, err = jetstream.New(p.nc); err != nil {
		return nil, err
	}
	if e.Redis == "" {
		return p, nil
	}
	redis, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{e.Redis}, ForceSingleClient: true})
	if err != nil {
		return nil, err
	}
	p.redis = redis
	e.Defer(func() error { redis.Close(); return nil })
	return p, nil
}

// streams makes those of the peers as a fleet's is.
func (p *publisher) streams(ctx context.Context) error {
	like, err := p.js.Stream(ctx, event.StreamName(fleet))
	if err != nil {
		return err
	}
	raw := like.CachedInfo().Config
	raw.Name, raw.Subjects, raw.Metadata = rawStream, []string{rawLog + ">"}, nil
	raw.RePublish = &jetstream.RePublish{Source: rawLog + ">", Destination: rawLive + ">"}
	ordered := raw
	ordered.Name, ordered.Subjects, ordered.RePublish = orderStream, []string{orderLog + ">"}, nil
	pushed := ordered
	pushed.Name, pushed.Subjects = pushStream, []string{pushLog + ">"}
	for _, cfg := range []jetstream.StreamConfig{raw, ordered, pushed} {
		if _, err := p.js.CreateStream(ctx, cfg); err != nil {
			return err
		}
	}
	return nil
}

// weigh finds out how large an event with one key is when it comes to a node.
func (p *publisher) weigh(ctx context.Context) error {
	sub, err := p.nc.SubscribeSync(event.LiveSubject(fleet, "fn.>"))
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := p.nc.FlushTimeout(patience); err != nil {
		return err
	}
	if err := p.prepareLethe(0)(ctx); err != nil {
		return err
	}
	m, err := sub.NextMsg(patience)
	if err != nil {
		return fmt.Errorf("no live message: %w", err)
	}
	p.size = len("NATS/1.0\r\n\r\n") + len(m.Data)
	for name, values := range m.Header {
		for _, v := range values {
			p.size += len(name) + len(v) + len(": \r\n")
		}
	}
	return nil
}

func (p *publisher) prepareLethe(n int) post {
	k := key(n)
	return func(ctx context.Context) error {
		_, err := p.lethe.Invalidate(ctx, event.Key(function, k))
		return err
	}
}

// prepareCore publishes as the client's documentation does: it writes soon, on a goroutine of its own. Flushed it is known when
// the server has it.
func (p *publisher) prepareCore(text func(int) []byte, flush bool) func(int) post {
	return func(n int) post {
		m := text(n)
		return func(context.Context) error {
			if err := p.nc.Publish(plainSubject, m); err != nil || !flush {
				return err
			}
			return p.nc.FlushTimeout(patience)
		}
	}
}

// prepareStored publishes Lethe's own bytes, made beforehand, to another stream.
func (p *publisher) prepareStored(prefix string) func(int) post {
	return func(n int) post {
		e, err := event.Encode(fleet, event.Event{Source: "/lethe/bench/raw", Targets: []event.Target{event.Key(function, key(n))}})
		m := &nats.Msg{Subject: prefix + "fn." + function, Header: e.Header, Data: e.Data}
		return func(ctx context.Context) error {
			if err == nil {
				_, err = p.js.PublishMsg(ctx, m)
			}
			return err
		}
	}
}

func (p *publisher) prepareRedis(text func(int) []byte) func(int) post {
	return func(n int) post {
		m := string(text(n))
		return func(ctx context.Context) error {
			return p.redis.Do(ctx, p.redis.B().Publish().Channel(channel).Message(m).Build()).Error()
		}
	}
}

func (p *publisher) prepareSet(n int) post {
	k := key(n)
	return func(ctx context.Context) error {
		return p.redis.Do(ctx, p.redis.B().Set().Key(k).Value("2").Ex(time.Hour).Build()).Error()
	}
}
