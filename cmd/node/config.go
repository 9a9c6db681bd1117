package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

const defaultHTTP = "127.0.0.1:8080"

// config is what the flags say.
type config struct {
	name, fleet   string
	nats          cli.Connection
	natsListen    listenAddress
	stateDir      string
	databaseURL   string
	journal       bool
	journalFor    time.Duration
	http          string
	httpTokenFile string
	admin         string
	drain         optional
	shutdown      time.Duration
	files         string
	maxBytes      size
	maxHotBytes   size
	maxTTL        time.Duration
	maxStaleness  time.Duration
	maxEvents     int
	widenStorms   bool
	ordered       bool
	external      bool
	logLevel      level
	logFormat     string
}

func (c *config) flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.name, "name", "", "name of this node in its fleet (default: host name and a random suffix)")
	fs.StringVar(&c.fleet, "fleet", "default", "the nodes that forget together")
	fs.StringVar(&c.nats.Server, "nats-url", "", "NATS servers to use; without it, and without --context, one is started in this process (NATS_URL)")
	c.nats.Flags(fs)
	c.natsListen.text = "127.0.0.1:4222"
	fs.Var(&c.natsListen, "nats-listen", "loopback address of the NATS server in this process; empty: no other process can connect")
	fs.StringVar(&c.stateDir, "state-dir", "", "folder of the NATS server in this process, and of its database; empty: in memory, forgotten when the node ends")
	fs.StringVar(&c.databaseURL, "database-url", "", "where manifests are kept, one for the whole fleet: sqlite:FILE, sqlite::memory:, postgres://… or none "+
		"(default: beside a NATS server in this process, SQLite in --state-dir or in memory; else none) (DATABASE_URL)")
	fs.BoolVar(&c.journal, "journal", false, "write down, in the database, who applies, deletes and invalidates which manifests, and what changes")
	fs.DurationVar(&c.journalFor, "journal-for", manifest.DefaultJournal, "how long --journal keeps it; at least 1m")
	fs.StringVar(&c.http, "http", defaultHTTP, "address to answer HTTP on; other than loopback needs --http-token-file")
	fs.StringVar(&c.httpTokenFile, "http-token-file", "", "file with the token that HTTP callers have to send (Authorization: Bearer)")
	fs.StringVar(&c.admin, "admin", "", "another address for /livez, /readyz and /metrics, with connections of its own; asks for no token; empty: only --http has them")
	fs.Var(&c.drain, "drain-delay", "told to end, say so at /readyz and answer on for this long (default 5s, and 0s where --http is loopback)")
	fs.DurationVar(&c.shutdown, "shutdown-timeout", defaultShutdown, "after --drain-delay, how long requests under way may take")
	fs.StringVar(&c.files, "files", "", "folder that file.read reads; empty: there is no file.read")
	c.maxBytes = 256 << 20
	fs.Var(&c.maxBytes, "max-bytes", "memory of the bulk tier")
	c.maxHotBytes = 64 << 20
	fs.Var(&c.maxHotBytes, "max-hot-bytes", "memory of the hot tier")
	fs.DurationVar(&c.maxTTL, "max-ttl", time.Hour, "no entry lives longer")
	fs.DurationVar(&c.maxStaleness, "max-staleness", 10*time.Second, "what is served from memory is current as of at most this long ago; at least 5s")
	fs.IntVar(&c.maxEvents, "max-events", 5000, "events a second that this node publishes; over it, invalidations are refused")
	fs.BoolVar(&c.widenStorms, "widen-storms", false, "over --max-events, forget the whole function or family of tags instead of refusing")
	fs.BoolVar(&c.ordered, "ordered-consumer", false, "follow the stream by a consumer, for servers and accounts that allow no republishing")
	fs.BoolVar(&c.external, "external-stream", false, "the stream is provisioned elsewhere: check it, never create or change it")
	fs.Var(&c.logLevel, "log-level", "debug, info, warn or error")
	fs.StringVar(&c.logFormat, "log-format", "text", "text or json")
}

// embedded says whether this process has to bring its own NATS server.
func (c *config) embedded() bool { return c.nats.Server == "" && c.nats.Context == "" }

// node is what the flags say of the node itself.
func (c *config) node(conn *nats.Conn, logger *slog.Logger) lethe.Config {
	return lethe.Config{
		Conn: conn, Fleet: c.fleet, Name: c.name, MaxBytes: int64(c.maxBytes), MaxHotBytes: int64(c.maxHotBytes), MaxTTL: c.maxTTL, MaxStaleness: c.maxStaleness,
		MaxEvents: c.maxEvents, WidenStorms: c.widenStorms, OrderedConsumer: c.ordered, ExternalStream: c.external, Logger: logger,
	}
}

// maxEnding is the longest that each part of the end may take.
const maxEnding = 10 * time.Minute

// ending is how the node ends. On loopback there is nobody else whose balancer would have to notice first.
func (c *config) ending(loopback bool) ending {
	e := ending{drain: defaultDrain, shutdown: c.shutdown}
	switch {
	case c.drain.set:
		e.drain = c.drain.Duration
	case loopback:
		e.drain = 0
	}
	return e
}

// validate refuses what can't work, all problems joined, before anything is started.
func (c *config) validate() error {
	var problems []error
	if err := event.CheckFleet(c.fleet); err != nil {
		problems = append(problems, fmt.Errorf("--fleet: %w", err))
	}
	if c.logFormat != "text" && c.logFormat != "json" {
		problems = append(problems, fmt.Errorf("--log-format %q: want text or json", c.logFormat))
	}
	if loopback, err := isLoopback(c.http); err != nil {
		problems = append(problems, fmt.Errorf("--http: %w", err))
	} else if !loopback && c.httpTokenFile == "" {
		problems = append(problems, fmt.Errorf("--http %s can be reached from other machines: give --http-token-file, or listen on 127.0.0.1", c.http))
	}
	if c.admin != "" {
		if _, err := isLoopback(c.admin); err != nil {
			problems = append(problems, fmt.Errorf("--admin: %w", err))
		}
	}
	if c.drain.Duration < 0 || c.drain.Duration > maxEnding {
		problems = append(problems, fmt.Errorf("--drain-delay %v: want 0s to %v", c.drain.Duration, maxEnding))
	}
	if c.shutdown < 0 || c.shutdown > maxEnding {
		problems = append(problems, fmt.Errorf("--shutdown-timeout %v: want 0s to %v", c.shutdown, maxEnding))
	}
	problems = append(problems, c.checkBus()...)
	problems = append(problems, c.checkNode()...)
	problems = append(problems, checkDatabase(c.databaseURL), c.checkJournal())
	return cli.Exit(cli.CodeUsage, errors.Join(problems...))
}

// isLoopback says whether only this machine can reach the host:port address.
func isLoopback(address string) (bool, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false, fmt.Errorf("%q: want host:port: %w", address, err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return false, fmt.Errorf("%q: want a port from 0 to 65535", address)
	}
	if host == "localhost" {
		return true, nil
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback(), nil
}
