package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Server is a running NATS server. All methods are safe for concurrent use.
type Server struct {
	nats   *server.Server
	listen bool
	state  *state
	words  *logger

	closing sync.Once
	closed  error
}

// Start returns a server that takes connections and has JetStream running, typically in a few tens of milliseconds. ctx
// bounds only the start. A taken port, a StateDir in use by another server or one that can't be written are errors that
// name them.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	store, err := openState(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	opts.StoreDir = store.dir
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("embedded: %w", err), store.close())
	}
	words := newLogger(cfg.Logger)
	srv.SetLoggerV2(words, false, false, false)
	s := &Server{nats: srv, listen: !opts.DontListen, state: store, words: words}
	srv.Start()
	if err := s.started(ctx, cfg.Listen, words); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// started waits until the server takes connections; what went wrong it only says to its log.
func (s *Server) started(ctx context.Context, listen string, words *logger) error {
	for {
		if fatal := words.fatal(); fatal != "" {
			if s.listen && s.nats.Addr() == nil {
				return fmt.Errorf("embedded: can't listen on %s: another program may have it; choose another address or port 0 (%s)", listen, fatal)
			}
			return fmt.Errorf("embedded: %s", fatal)
		}
		if s.nats.ReadyForConnections(time.Millisecond) && s.nats.JetStreamEnabled() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("embedded: the server was not ready in time: %w", context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
}

// Connect opens a connection inside the process, without a socket. It reconnects for ever and buffers nothing while it is
// cut off; opts come after these and win. The caller closes it, before Close.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect("", append([]nats.Option{
		nats.InProcessServer(s.nats),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.PingInterval(5 * time.Second),
		nats.Timeout(time.Minute), // no network is in between: only a busy machine takes long
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return nc, nil
}

// URL is where other processes of this machine find the server, nats://host:port; "" without Listen.
func (s *Server) URL() string {
	if !s.listen {
		return ""
	}
	u, err := url.Parse(s.nats.ClientURL())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return u.String()
}

// Close ends the server and returns when it is down: its goroutines have ended, its port and StateDir may be used again. It
// is idempotent. Connections that are still open are cut and would try to reconnect for ever: close them first.
func (s *Server) Close() error {
	s.closing.Do(func() {
		s.nats.Shutdown()
		s.nats.WaitForShutdown()
		s.words.end()
		s.closed = s.state.close()
	})
	return s.closed
}

// state is the folder of JetStream's store.
type state struct {
	dir  string
	temp bool
	lock *os.File
}

func openState(dir string) (*state, error) {
	if dir == "" {
		temp, err := os.MkdirTemp("", "lethe-nats-")
		if err != nil {
			return nil, fmt.Errorf("embedded: a temporary folder for the store: %w", err)
		}
		return &state{dir: temp, temp: true}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded: state dir: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, fmt.Errorf("embedded: state dir %s: %w", dir, err)
	}
	return &state{dir: dir, lock: lock}, nil
}

func (s *state) close() error {
	var errs []error
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if s.temp {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
