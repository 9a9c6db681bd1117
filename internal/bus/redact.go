package bus

import (
	"net/url"
	"strings"

	"github.com/nats-io/nats.go"
)

// Redact takes user, password and token out of a comma separated list of server URLs.
func Redact(servers string) string {
	list := strings.Split(servers, ",")
	for i, server := range list {
		server = strings.TrimSpace(server)
		if !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		u, err := url.Parse(server)
		if err != nil {
			list[i] = "(unreadable address)"
			continue
		}
		u.User = nil
		list[i] = u.String()
	}
	return strings.Join(list, ",")
}

// Connected is where conn is connected to, without credentials: a token would stand where the user does, which the client's own
// redaction keeps. Empty where it is not connected, and for a server in the same process, which the client knows by no true address.
func Connected(conn *nats.Conn) string {
	if conn.Opts.InProcessServer != nil {
		return ""
	}
	at := conn.ConnectedUrl()
	if at == "" {
		return ""
	}
	return Redact(at)
}

// Configured is where conn may connect to, as Connected says it.
func Configured(conn *nats.Conn) string {
	if conn.Opts.InProcessServer != nil {
		return ""
	}
	return Redact(strings.Join(conn.Servers(), ","))
}
