package cursor

import "time"

// Config of a Follower. The zero value of each field but Jitter means its default.
type Config struct {
	MaxStaleness time.Duration  // how long after its as-of moment a lease ends; 10 s
	Tick         time.Duration  // T: how long the stream stays without a message; 1 s
	Reorder      time.Duration  // how long what is known of, and has not come, may still come by itself before it is fetched; 20 ms
	Backlog      uint64         // messages behind the end beyond which a node that does not gain on the stream does a Reset; 100,000
	Held         int            // messages held beyond a hole; 16,384
	Jitter       func() float64 // of [0, 1), to spread a fleet's probes, ticks and retries; nil = 0.5
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	def(&c.MaxStaleness, 10*time.Second)
	def(&c.Tick, time.Second)
	def(&c.Reorder, 20*time.Millisecond)
	if c.Backlog == 0 {
		c.Backlog = 100_000
	}
	if c.Held == 0 {
		c.Held = 16_384
	}
	if c.Jitter == nil {
		c.Jitter = func() float64 { return 0.5 }
	}
	return c
}

// retries between attempts that failed: full jitter under a doubling ceiling.
const (
	retryFirst = 20 * time.Millisecond
	retryMost  = time.Second
	askSpacing = 100 * time.Millisecond // of probes for waiting callers
)

type backoff struct{ tries uint }

func (b *backoff) next(jitter float64) int64 {
	ceiling := retryMost
	if b.tries < 6 {
		ceiling = min(ceiling, retryFirst<<b.tries)
	}
	b.tries++
	return int64(float64(ceiling) * (0.5 + jitter/2))
}
