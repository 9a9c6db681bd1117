package lethe

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Config of a Node. The zero value of a field is the default its comment gives; URL or Conn is required.
type Config struct {
	URL            string        // NATS URL(s); URL or Conn is required (see package embedded for a single process)
	Conn           *nats.Conn    // bring your own; wins over URL, stays yours to close
	NATSOptions    []nats.Option // creds, TLS, …; with URL
	Fleet          string        // who forgets together; "default"
	Name           string        // host name + random suffix
	PublishOnly    bool          // invalidate only: no subscription, no memory, never makes the stream; Memoize and Receive panic; Ready: connected and stream known; Wait: ErrNotReady
	ExternalStream bool          // the stream is provisioned elsewhere: check it, never create or change it
	Replicas       int           // of the stream; 0 = min(3, servers)
	// MaxBytes bounds the bulk tier (encoded values); 256 MiB, at least 1 MiB, at most 512 GiB; it grows as it fills. The largest entry
	// it takes, with key and labels, is a quarter of one of its parts: a quarter of MaxBytes below 8 MiB, 1 to 2 MiB from there to 1 GiB,
	// MaxBytes/1024 above; 1 MiB by default. A larger value is not stored there, which is logged once a function and counted as
	// lethe_evictions_total{tier="bulk",reason="too_large"}. Beside MaxBytes bulk takes its index, about 20 bytes an entry, and up to a quarter of
	// MaxBytes for buffers where values are as large as that.
	MaxBytes int64
	MaxHot   int // hot tier (decoded values); 16,384 entries
	// MaxHotBytes bounds the hot tier in bytes; 64 MiB, at least 1 MiB. Values are weighed as they are stored, by a walk through them or by their
	// encoding, whichever is more, with key, labels and what an entry takes itself. A value over a quarter of it is not kept there. Each entry
	// weighs at least MaxHotBytes/MaxHot, 4 KiB by default. The weight of regular values is within twice what they take; of large slices and
	// maps some elements stand for the others; a list or tree of pointers with over 65,536 parts counts as a quarter. WithoutBulk: what a value reaches through structs that have locks, atomics or
	// channels, and in maps behind unexported fields, is not seen. Never seen is what a string or slice was cut from and keeps alive
	// (strings.Clone and slices.Clone cut it loose), and the room of a map whose members were deleted.
	MaxHotBytes  int64
	MaxTTL       time.Duration // no entry lives longer, and the TTL where none is given; 1 h
	MaxLoad      time.Duration // a load is cancelled and never stored after; 30 s
	MaxLoads     int           // loads of one function at once for 10 s after a Reset or the first lease, and while more wait; 64
	MaxStaleness time.Duration // the bound of promise 3; 10 s, at least 5 s
	MaxEvents    int           // events a second that Invalidate publishes, and as many at once after a rest; 5,000. Over it calls wait up to 1 s to be joined with others, then ErrStorm
	WidenStorms  bool          // instead of ErrStorm: the whole function, or family of tags, is forgotten
	// OrderedConsumer follows the stream by a consumer of this node's own: for servers and accounts that allow no RePublish. It costs
	// the server about 35 KB and two goroutines a node, and a stream allows 1,000 of them. All nodes of the fleet have to set it: one
	// without it makes the stream republish or, with ExternalStream, is never Ready and says so. A PublishOnly node does
	// not need it. The node is not Ready while its consumer can't be made.
	OrderedConsumer bool
	// Logger and TracerProvider are called on goroutines of their own where the node may not wait: beyond 1,024 lines, or spans, that
	// wait for one that blocks, others are dropped. nil discards.
	Logger         *slog.Logger
	TracerProvider trace.TracerProvider
}

// Limits of Config.
const (
	minBytes     = 1 << 20
	maxBytes     = 512 << 30 // places in a shard are 32 bits
	minStaleness = 5 * time.Second
	maxName      = 64
	maxSpan      = 10 * 365 * 24 * time.Hour // of MaxTTL and MaxLoad: sums with it stay far from overflow
)

var nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$`)

// withDefaults returns cfg with defaults filled in, or every reason why it can't be.
func (cfg Config) withDefaults() (Config, error) { //nolint:gocyclo // a line for each field
	cfg.Fleet = cmp.Or(cfg.Fleet, "default")
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 256<<20)
	cfg.MaxHot = cmp.Or(cfg.MaxHot, 16_384)
	cfg.MaxHotBytes = cmp.Or(cfg.MaxHotBytes, 64<<20)
	cfg.MaxTTL = cmp.Or(cfg.MaxTTL, time.Hour)
	cfg.MaxLoad = cmp.Or(cfg.MaxLoad, 30*time.Second)
	cfg.MaxLoads = cmp.Or(cfg.MaxLoads, 64)
	cfg.MaxStaleness = cmp.Or(cfg.MaxStaleness, 10*time.Second)
	if cfg.Name == "" {
		cfg.Name = defaultName()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.TracerProvider == nil {
		cfg.TracerProvider = noop.NewTracerProvider()
	}
	var errs []error
	refuse := func(field, why string) { errs = append(errs, &Error{Op: "config", Name: field, Err: errors.New(why)}) }
	if cfg.URL == "" && cfg.Conn == nil {
		refuse("URL", "neither URL nor Conn is set; a fleet of one by accident would be the worst failure, so name a NATS server (for one process see package embedded)")
	}
	if err := event.CheckFleet(cfg.Fleet); err != nil {
		errs = append(errs, &Error{Op: "config", Name: "Fleet", Err: err})
	}
	if len(cfg.Name) > maxName || !nodeName.MatchString(cfg.Name) {
		refuse("Name", fmt.Sprintf("%q is not a node name: letters, digits, '-' and '_', at most %d", cfg.Name, maxName))
	}
	if cfg.Replicas < 0 || cfg.Replicas > 5 {
		refuse("Replicas", "must be 0 (min(3, servers)) to 5")
	}
	if cfg.MaxBytes < minBytes || cfg.MaxBytes > maxBytes {
		refuse("MaxBytes", "must be between 1 MiB and 512 GiB")
	}
	if cfg.MaxHotBytes < minBytes {
		refuse("MaxHotBytes", "must be at least 1 MiB")
	}
	if cfg.MaxHot < 1 {
		refuse("MaxHot", "must be at least 1")
	}
	if cfg.MaxTTL < time.Millisecond || cfg.MaxTTL > maxSpan {
		refuse("MaxTTL", "must be between 1 ms and 10 years")
	}
	if cfg.MaxLoad < time.Millisecond || cfg.MaxLoad > maxSpan {
		refuse("MaxLoad", "must be between 1 ms and 10 years")
	}
	if cfg.MaxLoads < 1 {
		refuse("MaxLoads", "must be at least 1")
	}
	if cfg.MaxEvents < 0 {
		refuse("MaxEvents", "must be 0 (5,000 a second) or more")
	}
	if cfg.MaxStaleness < minStaleness {
		refuse("MaxStaleness", "must be at least 5 s: five ticks of the stream")
	}
	return cfg, errors.Join(errs...)
}

func defaultName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "node"
	}
	host = regexp.MustCompile(`[^A-Za-z0-9-]+`).ReplaceAllString(host, "-")
	var b [4]byte
	_, _ = rand.Read(b[:])
	return strings.TrimLeft(host[:min(len(host), 48)], "-") + "-" + hex.EncodeToString(b[:])
}
