package main

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
)

// What pkg/lethe takes of the flags that it is given. There zero is the default; at a flag it is a mistake.
const (
	minSize      = size(1 << 20)
	mostBulk     = size(512 << 30)
	minTTL       = time.Millisecond
	mostTTL      = 10 * 365 * 24 * time.Hour
	minStaleness = 5 * time.Second
	mostName     = 64
)

var nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$`)

// checkNode refuses what the node would refuse, or take for its default, once it is opened.
func (c *config) checkNode() (problems []error) {
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.name != "" && (len(c.name) > mostName || !nodeName.MatchString(c.name)) {
		refuse("--name %.80q: want letters, digits, '-' and '_', at most %d, or leave it out", c.name, mostName)
	}
	if c.maxBytes < minSize || c.maxBytes > mostBulk {
		refuse("--max-bytes %v: want %v to %v", &c.maxBytes, sizeText(minSize), sizeText(mostBulk))
	}
	if c.maxHotBytes < minSize {
		refuse("--max-hot-bytes %v: want at least %v", &c.maxHotBytes, sizeText(minSize))
	}
	if c.maxTTL < minTTL || c.maxTTL > mostTTL {
		refuse("--max-ttl %v: want %v to 87600h (10 years); a node that keeps nothing is not possible", c.maxTTL, minTTL)
	}
	if c.maxStaleness < minStaleness {
		refuse("--max-staleness %v: want at least %v", c.maxStaleness, minStaleness)
	}
	if c.maxEvents < 1 {
		refuse("--max-events %d: want at least 1", c.maxEvents)
	}
	return problems
}

// checkBus refuses flags of the server in this process where another is used, and the other way round: what is given must not be
// ignored.
func (c *config) checkBus() (problems []error) {
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !c.embedded() {
		if c.natsListen.set && c.natsListen.text != "" {
			refuse("--nats-listen is for the NATS server in this process: leave it (LETHE_NATS_LISTEN) out, or --nats-url (NATS_URL) and --context")
		}
		if c.stateDir != "" {
			refuse("--state-dir is for the NATS server in this process: leave it out with --nats-url or --context")
		}
		if err := cli.CheckServers(c.nats.Server); err != nil {
			refuse("--nats-url: %w", err)
		}
		return append(problems, c.nats.Check())
	}
	if c.natsListen.text != "" {
		if loopback, err := isLoopback(c.natsListen.text); err != nil {
			refuse("--nats-listen: %w", err)
		} else if !loopback {
			refuse("--nats-listen %s can be reached from other machines, and the server in this process has no users: "+
				"listen on 127.0.0.1, or run nats-server with users and give --nats-url", c.natsListen.text)
		}
	}
	if c.external {
		refuse("--external-stream: nobody else makes a stream on the NATS server in this process: give --nats-url or --context")
	}
	if given := c.nats.Given(); len(given) > 0 {
		refuse("%s: the NATS server in this process has no use for that: give --nats-url or --context, or leave it out", strings.Join(given, ", "))
	}
	return problems
}

func sizeText(s size) string { return s.String() }

// listenAddress is a flag that knows whether it was given.
type listenAddress struct {
	text string
	set  bool
}

// Set is pflag.Value.
func (a *listenAddress) Set(text string) error { a.text, a.set = text, true; return nil }

func (a *listenAddress) String() string { return a.text }

// Type is pflag.Value.
func (*listenAddress) Type() string { return "string" }

// level is --log-level.
type level struct{ slog.Level }

// Set is pflag.Value.
func (l *level) Set(text string) error {
	if err := l.UnmarshalText([]byte(text)); err != nil {
		return errors.New("want debug, info, warn or error")
	}
	return nil
}

// Type is pflag.Value.
func (*level) Type() string { return "level" }

// ended gives the error that ends a node one of the exit codes that it has: 1, or 2 for the command line. Others say what became of a
// command's work, and of the servers, which a node waits for.
func ended(err error) error {
	if err == nil || cli.Code(err) == cli.CodeUsage {
		return err
	}
	return cli.Exit(cli.CodeFailed, err)
}
