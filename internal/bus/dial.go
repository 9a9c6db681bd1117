package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"
)

// Dial returns a connection to servers, or one that is still connecting: it needs no server to return. It reconnects for ever,
// also where the servers refuse its credentials, buffers nothing while it is cut off (what failed must not be sent later) and
// notices a half-open connection within 20 s. opts come after these and win. The error is about servers or opts.
func Dial(servers string, logger *slog.Logger, opts ...nats.Option) (*nats.Conn, error) {
	all := append([]nats.Option{
		nats.Name("lethe"),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		// A user that is refused today may be known tomorrow; without this the connection is closed at the second refusal.
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectBufSize(-1),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.PingInterval(5*time.Second + rand.N(5*time.Second)), //nolint:gosec // jitter is no secret
		nats.MaxPingsOutstanding(2),
		nats.Timeout(2 * time.Second),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				logger.Warn("disconnected from NATS", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { logger.Info("reconnected to NATS", "url", Connected(nc)) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			if sub != nil && !errors.Is(err, nats.ErrPermissionViolation) {
				logger.Warn("NATS", "subject", sub.Subject, "error", err)
			}
		}),
	}, opts...)
	nc, err := nats.Connect(servers, all...)
	if err != nil {
		return nil, fmt.Errorf("nats: connect to %s: %w", Redact(servers), unquoted(err))
	}
	return nc, nil
}

// unquoted is err, or of a URL that can't be parsed the reason alone: its text quotes the URL, which may hold a password.
func unquoted(err error) error {
	var bad *url.Error
	if errors.As(err, &bad) {
		return fmt.Errorf("the URL can't be read: want nats://HOST:PORT, tls://HOST:PORT or several with commas between: %w", bad.Err)
	}
	return err
}

// reconnectDelay is full jitter under a doubling ceiling, so that a fleet does not come back in step.
func reconnectDelay(attempts int) time.Duration {
	ceiling := 4 * time.Second
	if attempts < 5 {
		ceiling = 250 * time.Millisecond << max(attempts, 0)
	}
	return 50*time.Millisecond + rand.N(ceiling) //nolint:gosec // jitter is no secret
}
