package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// Config of a Server. The zero value is a server without any network surface whose state is gone with the process.
type Config struct {
	// StateDir is JetStream's store, created if need be; one running server a folder. "" = a temporary folder that Close
	// removes, so streams are gone with the process.
	StateDir string
	// Listen is the host:port other processes may use; port 0 picks a free one (see URL). "" = none: only Connect gets in.
	Listen string
	// Logger hears the server's words, within a budget of lines a minute; its notices and traces come as debug. nil discards.
	Logger *slog.Logger
}

// options of the server, without its store. All that is wrong is said at once.
func (c Config) options() (*server.Options, error) {
	opts := &server.Options{
		ServerName: "lethe-" + strings.ToLower(rand.Text()[:8]),
		JetStream:  true,
		NoSigs:     true,
		DontListen: c.Listen == "",
	}
	if c.Listen == "" {
		return opts, nil
	}
	host, text, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("embedded: listen %q: use host:port, such as 127.0.0.1:4222: %w", c.Listen, err)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return nil, errors.New("embedded: listen " + strconv.Quote(c.Listen) + ": the port has to be a number from 0 to 65535")
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	opts.Host, opts.Port = host, port
	return opts, nil
}
