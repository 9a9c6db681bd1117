package accesstest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/lethe-cache/lethe/cmd/internal/access"
)

// Way is one way to log in to a server that runs for it.
type Way struct {
	Name    string
	URL     string
	Flags   []string      // of lethe-node and lethe-publisher, but the server's address
	Options []nats.Option // of nats.go, the same
	Wrong   []string      // Flags that the server refuses
}

// Node is the user of every way.
func Node(t testing.TB) access.User {
	t.Helper()
	u, err := access.Of(access.Options{Role: access.Node, Fleet: "shop"})
	return checked(t, u, err)
}

// Ways starts a server for each way.
func Ways(t testing.TB) []Way {
	t.Helper()
	u := Node(t)
	ways := []Way{password(t, u), token(t), nkey(t, u), creds(t, u), serverTLS(t, u, false), serverTLS(t, u, true), mutualTLS(t, u)}
	for i := range ways {
		w := &ways[i]
		inbox := []string{"--inbox-prefix", u.InboxPrefix}
		w.Flags, w.Wrong = append(w.Flags, inbox...), append(w.Wrong, inbox...)
		w.Options = append(w.Options, nats.CustomInboxPrefix(u.InboxPrefix))
	}
	return ways
}

// conf is what access prints, with lines exchanged, and the password where it asks for one.
func conf(u access.User, exchange ...string) string {
	text := strings.NewReplacer(exchange...).Replace(access.Conf(u))
	if strings.Contains(text, "$WEB_1_PASSWORD") {
		text = "WEB_1_PASSWORD: \"secret of web-1\"\n" + text
	}
	return text
}

func password(t testing.TB, u access.User) Way {
	t.Helper()
	return Way{
		Name: "password", URL: Serve(t, conf(u)),
		Flags: []string{"--user", u.Name, "--password", "secret of web-1"}, Wrong: []string{"--user", u.Name, "--password", "x"},
		Options: []nats.Option{nats.UserInfo(u.Name, "secret of web-1")},
	}
}

func token(t testing.TB) Way {
	t.Helper()
	return Way{
		Name: "token", URL: Serve(t, `authorization: { token: "s3cr3t" }`),
		Flags: []string{"--token", "s3cr3t"}, Wrong: []string{"--token", "x"}, Options: []nats.Option{nats.Token("s3cr3t")},
	}
}

func nkey(t testing.TB, u access.User) Way {
	t.Helper()
	dir := t.TempDir()
	var ids [2]string
	for i, name := range []string{"web-1.nk", "stranger.nk"} {
		pair, err := nkeys.CreateUser()
		key := checked(t, pair, err)
		seed, err := key.Seed()
		write(t, filepath.Join(dir, name), checked(t, seed, err))
		ids[i] = public(t, key)
	}
	file := filepath.Join(dir, "web-1.nk")
	option, err := nats.NkeyOptionFromSeed(file)
	return Way{
		Name: "nkey", URL: Serve(t, conf(u, fmt.Sprintf("user: %q", u.Name), "nkey: "+ids[0], "password: $WEB_1_PASSWORD\n", "\n")),
		Flags: []string{"--nkey", file}, Wrong: []string{"--nkey", filepath.Join(dir, "stranger.nk")},
		Options: []nats.Option{checked(t, option, err)},
	}
}

func creds(t testing.TB, u access.User) Way {
	t.Helper()
	o := NewOperator(t)
	home := o.Account("LETHE_SHOP")
	home.Claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "web-1.creds"), home.User(u))
	write(t, filepath.Join(dir, "stranger.creds"), NewOperator(t).Account("LETHE_SHOP").User(u))
	file := filepath.Join(dir, "web-1.creds")
	return Way{
		Name: "creds", URL: o.Serve(), Flags: []string{"--creds", file}, Wrong: []string{"--creds", filepath.Join(dir, "stranger.creds")},
		Options: []nats.Option{nats.UserCredentials(file)},
	}
}

// serverTLS proves the server by its certificate, and the user by password inside.
func serverTLS(t testing.TB, u access.User, first bool) Way {
	t.Helper()
	ca := newAuthority(t)
	ca.issue(t, "server")
	w := password(t, u)
	w.Name = "tls"
	more := ""
	w.Flags = append(w.Flags, "--tlsca", ca.file("ca.pem"))
	w.Wrong = append([]string{}, w.Flags[:len(w.Flags)-2]...) // a server that nobody vouches for
	w.Options = append(w.Options, nats.RootCAs(ca.file("ca.pem")))
	if first {
		w.Name, more = "tls first", "handshake_first: true"
		w.Flags, w.Wrong = append(w.Flags, "--tlsfirst"), append(w.Wrong, "--tlsfirst")
		w.Options = append(w.Options, nats.TLSHandshakeFirst())
	}
	w.URL = secure(Serve(t, conf(u)+fmt.Sprintf("tls: { cert_file: %q, key_file: %q, %s }\n", ca.file("server.pem"), ca.file("server.key"), more)))
	return w
}

// mutualTLS proves both by their certificates: the user's name is the certificate's.
func mutualTLS(t testing.TB, u access.User) Way {
	t.Helper()
	ca := newAuthority(t)
	for _, name := range []string{"server", u.Name, "stranger"} {
		ca.issue(t, name)
	}
	url := Serve(t, conf(u, "password: $WEB_1_PASSWORD\n", "\n")+fmt.Sprintf("tls: { cert_file: %q, key_file: %q, ca_file: %q, verify_and_map: true }\n",
		ca.file("server.pem"), ca.file("server.key"), ca.file("ca.pem")))
	flags := func(name string) []string {
		return []string{"--tlsca", ca.file("ca.pem"), "--tlscert", ca.file(name + ".pem"), "--tlskey", ca.file(name + ".key")}
	}
	return Way{
		Name: "mutual tls", URL: secure(url), Flags: flags(u.Name), Wrong: flags("stranger"),
		Options: []nats.Option{nats.RootCAs(ca.file("ca.pem")), nats.ClientCert(ca.file(u.Name+".pem"), ca.file(u.Name+".key"))},
	}
}

func secure(url string) string { return strings.Replace(url, "nats://", "tls://", 1) }

func write(t testing.TB, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
