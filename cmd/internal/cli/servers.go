package cli

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// CheckServers refuses a comma separated list of NATS servers with one that no client could reach, without quoting what may be a
// password in it. An empty list is none.
func CheckServers(servers string) error {
	if servers == "" {
		return nil
	}
	for i, server := range strings.Split(servers, ",") {
		if server = strings.TrimSpace(server); !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		u, err := url.Parse(server)
		if err != nil {
			return fmt.Errorf("server %d is no address: want nats://HOST:PORT", i+1) // its text would quote the address
		}
		switch u.Scheme {
		case "nats", "tls", "ws", "wss":
		default:
			return fmt.Errorf("server %d has the scheme %q: want nats, tls, ws or wss", i+1, u.Scheme)
		}
		if u.Hostname() == "" {
			return fmt.Errorf("server %d has no host: want nats://HOST:PORT", i+1)
		}
		if text := u.Port(); text != "" {
			if n, err := strconv.Atoi(text); err != nil || n < 1 || n > 65535 {
				return fmt.Errorf("server %d has the port %s: want 1 to 65535", i+1, text)
			}
		}
	}
	return nil
}

// Given are the connection flags that are set, besides those that say where the servers are.
func (c *Connection) Given() (flags []string) {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"--connection-name", c.Name != ""},
		{"--user", c.User != ""},
		{"--password", c.Password != ""},
		{"--token", c.Token != ""},
		{"--creds", c.Creds != ""},
		{"--nkey", c.NKey != ""},
		{"--tlscert", c.TLSCert != ""},
		{"--tlskey", c.TLSKey != ""},
		{"--tlsca", c.TLSCA != ""},
		{"--tlsfirst", c.TLSFirst},
		{"--socks-proxy", c.Socks != ""},
		{"--inbox-prefix", c.InboxName != ""},
	} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	return flags
}
