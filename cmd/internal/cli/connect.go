package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/natscontext"
	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"
)

// Connection is how to reach the NATS servers: the connection flags of the nats CLI. A flag wins over the context.
type Connection struct {
	Server, Context, Name                    string
	User, Password, Token, Creds, NKey       string
	TLSCert, TLSKey, TLSCA, Socks, InboxName string
	TLSFirst                                 bool
}

// Flags registers all but the server's own flag, which the two commands name differently.
func (c *Connection) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Context, "context", "", "NATS context to take the connection from (see 'nats context')")
	fs.StringVar(&c.Name, "connection-name", "", "name of this connection, as the server lists it")
	fs.StringVar(&c.User, "user", "", "user, or the token when there is no --password")
	fs.StringVar(&c.Password, "password", "", "password")
	fs.StringVar(&c.Token, "token", "", "authentication token")
	fs.StringVar(&c.Creds, "creds", "", "file with user JWT and seed")
	fs.StringVar(&c.NKey, "nkey", "", "file with the NKey seed")
	fs.StringVar(&c.TLSCert, "tlscert", "", "client certificate")
	fs.StringVar(&c.TLSKey, "tlskey", "", "key of the client certificate")
	fs.StringVar(&c.TLSCA, "tlsca", "", "certificates to trust the server by")
	fs.BoolVar(&c.TLSFirst, "tlsfirst", false, "TLS handshake before the server's greeting")
	fs.StringVar(&c.Socks, "socks-proxy", "", "SOCKS5 proxy to connect through")
	fs.StringVar(&c.InboxName, "inbox-prefix", "", "prefix of reply subjects")
}

// Resolve returns the URL and the options to connect with. No server and no context is the selected context, if
// there is one, else the local default.
func (c *Connection) Resolve() (url string, opts []nats.Option, err error) {
	if err := c.Check(); err != nil {
		return "", nil, err
	}
	load := c.Context != "" || c.Server == "" // with neither, the selected context, if there is one
	nctx, err := natscontext.New(c.Context, load, c.overrides()...)
	if err != nil {
		return "", nil, &Error{CodeUsage, fmt.Errorf("--context %s: %w", c.Context, err)}
	}
	if nctx.JSDomain() != "" || nctx.JSAPIPrefix() != "" {
		return "", nil, Usagef("--context %s sets a JetStream domain or API prefix, which Lethe does not use: connect to servers of the stream's own domain", c.Context)
	}
	if err := CheckServers(nctx.ServerURL()); err != nil {
		where := "--context " + c.Context
		switch {
		case c.Server != "":
			where = "the servers' address"
		case c.Context == "":
			where = "the selected NATS context"
		}
		return "", nil, &Error{CodeUsage, fmt.Errorf("%s: %w", where, err)}
	}
	opts, err = nctx.NATSOptions()
	if err != nil {
		return "", nil, &Error{CodeUsage, fmt.Errorf("connection: %w", err)}
	}
	if c.Name != "" {
		opts = append(opts, nats.Name(c.Name))
	}
	return nctx.ServerURL(), opts, nil
}

// Check refuses flags that contradict each other.
func (c *Connection) Check() error {
	var problems []error
	if (c.TLSCert == "") != (c.TLSKey == "") {
		problems = append(problems, errors.New("--tlscert and --tlskey go together"))
	}
	if c.Password != "" && c.User == "" {
		problems = append(problems, errors.New("--password needs --user"))
	}
	ways := 0
	for _, set := range []bool{c.User != "", c.Token != "", c.Creds != "", c.NKey != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		problems = append(problems, errors.New("give one of --user, --token, --creds and --nkey"))
	}
	return Exit(CodeUsage, errors.Join(problems...))
}

func (c *Connection) overrides() (opts []natscontext.Option) {
	user, token := c.User, c.Token
	if user != "" && c.Password == "" {
		user, token = "", user
	}
	if user != "" || token != "" || c.Creds != "" || c.NKey != "" {
		// Credentials on the command line replace those of the context, of whatever sort.
		opts = append(opts, natscontext.WithUser(""), natscontext.WithPassword(""), natscontext.WithCreds(""),
			natscontext.WithNKey(""), natscontext.WithToken(""), natscontext.WithUserJWT(""), natscontext.WithUserSeed(""))
	}
	for _, o := range []struct {
		value string
		set   func(string) natscontext.Option
	}{
		{c.Server, natscontext.WithServerURL},
		{user, natscontext.WithUser},
		{c.Password, natscontext.WithPassword},
		{token, natscontext.WithToken},
		{c.Creds, natscontext.WithCreds},
		{c.NKey, natscontext.WithNKey},
		{c.TLSCert, natscontext.WithCertificate},
		{c.TLSKey, natscontext.WithKey},
		{c.TLSCA, natscontext.WithCA},
		{c.Socks, natscontext.WithSocksProxy},
		{c.InboxName, natscontext.WithInboxPrefix},
	} {
		if o.value != "" {
			opts = append(opts, o.set(o.value))
		}
	}
	if c.TLSFirst {
		opts = append(opts, natscontext.WithTLSHandshakeFirst())
	}
	return opts
}

// Connect connects once, within timeout, for a command that ends when its work is done: it does not retry, and a
// refusal is an error of CodeConnection that says where and what to do.
func (c *Connection) Connect(timeout time.Duration, more ...nats.Option) (*nats.Conn, error) {
	url, opts, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	// Neither gives up nor keeps a publish for later: what this command reports as failed stays failed.
	opts = append(opts, nats.Timeout(timeout), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	conn, err := nats.Connect(url, append(opts, more...)...)
	if err != nil {
		return nil, Exit(CodeConnection, fmt.Errorf("cannot connect to %s: %w%s", Redact(url), err, hint(err)))
	}
	return conn, nil
}

func hint(err error) string {
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return ": check --creds, --nkey, --user or --context"
	case errors.Is(err, nats.ErrNoServers), strings.Contains(err.Error(), "connection refused"), strings.Contains(err.Error(), "no such host"):
		return ": is a server running there? Set --server or NATS_URL"
	}
	return ""
}
