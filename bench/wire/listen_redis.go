package wire

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"
)

// channel is as long as a subject of a fleet.
const channel = "redis.v1.live.bench.fn.bench.f"

// cacheTTL is how long clients keep what they cache: longer than any round.
const cacheTTL = 10 * time.Minute

// listenRedis has its own connection, and returns when the server has confirmed the subscription.
func listenRedis(ctx context.Context, addr string, h hearing) (listener, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true, PipelineMultiplex: -1})
	if err != nil {
		return listener{}, err
	}
	conn, release := client.Dedicate()
	stop := func() {
		release()
		client.Close()
	}
	confirmed := make(chan struct{}, 1)
	conn.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage:      func(m rueidis.PubSubMessage) { h.arrived(time.Now().UnixNano(), []byte(m.Message)) },
		OnSubscription: func(rueidis.PubSubSubscription) { confirmed <- struct{}{} },
	})
	if err := conn.Do(ctx, conn.B().Subscribe().Channel(channel).Build()).Error(); err != nil {
		stop()
		return listener{}, err
	}
	select {
	case <-confirmed:
		return listener{close: stop}, nil
	case <-time.After(patience):
		stop()
		return listener{}, errors.New("the subscription was not confirmed")
	}
}

// listenTracking caches the keys of a round on its one connection, and is told by the server what others have set.
func listenTracking(_ context.Context, addr string, h hearing) (listener, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{addr}, ForceSingleClient: true, PipelineMultiplex: -1,
		OnInvalidations: func(keys []rueidis.RedisMessage) {
			at := time.Now().UnixNano()
			for i := range keys {
				if k, err := keys[i].ToString(); err == nil {
					h.arrived(at, []byte(k))
				}
			}
		},
	})
	if err != nil {
		return listener{}, err
	}
	begin := func(ctx context.Context, base, n int) error {
		commands := make([]rueidis.CacheableTTL, n)
		for i := range n {
			commands[i] = rueidis.CT(client.B().Get().Key(key(base+i)).Cache(), cacheTTL)
		}
		for _, r := range client.DoMultiCache(ctx, commands...) {
			if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
				return err
			}
			if r.IsCacheHit() {
				return errors.New("a key was cached before its round")
			}
		}
		return nil
	}
	return listener{begin: begin, close: client.Close}, nil
}
