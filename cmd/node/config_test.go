package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func parseFlags(t *testing.T, args ...string) config {
	t.Helper()
	var c config
	fs := pflag.NewFlagSet("node", pflag.ContinueOnError)
	c.flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatCannotWorkIsRefusedBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ args, want string }{
		{"", ""},
		{"--http 127.0.0.1:0 --nats-listen 127.0.0.1:0", ""},
		{"--http localhost:8080", ""},
		{"--http [::1]:8080", ""},
		{"--http 0.0.0.0:8080 --http-token-file f", ""},
		{"--nats-listen=", ""},
		{"--http :8080", "--http-token-file"},
		{"--http 0.0.0.0:8080", "--http-token-file"},
		{"--http 10.0.0.1:8080", "--http-token-file"},
		{"--http node.example:8080", "--http-token-file"},
		{"--http 8080", "host:port"},
		{"--http 127.0.0.1:nix", "--http"},
		{"--nats-listen 0.0.0.0:4222", "no users"},
		{"--nats-url nats://h --nats-listen 127.0.0.1:4222", "--nats-listen"},
		{"--context c --nats-listen 127.0.0.1:4222", "--nats-listen"},
		{"--nats-url nats://h --nats-listen=", ""},
		{"--nats-url nats://h --password p", "--user"},
		{"--creds f", "--creds"},
		{"--tlsfirst", "--tlsfirst"},
		{"--nats-url nats://h --creds f", ""},
		{"--journal", ""},
		{"--journal --journal-for 1m", ""},
		{"--journal --journal-for 59s", "--journal-for 59s: want at least 1m"},
		{"--journal --database-url none", "--journal"},
		{"--journal --nats-url nats://h", "--journal"},
		{"--name a.b", "--name"},
		{"--max-bytes 10", "--max-bytes 10: want 1MiB to 512GiB"},
		{"--max-bytes 513GiB", "--max-bytes"},
		{"--max-hot-bytes 1023KiB", "--max-hot-bytes"},
		{"--max-ttl 0", "--max-ttl 0s: want 1ms"},
		{"--max-ttl=-1s", "--max-ttl"},
		{"--max-ttl 87601h", "--max-ttl"},
		{"--max-staleness 0", "--max-staleness 0s: want at least 5s"},
		{"--max-staleness 4999ms", "--max-staleness"},
		{"--max-ttl 1ms --max-staleness 5s --max-events 1 --max-bytes 1MiB --max-hot-bytes 1MiB --name a_b-1", ""},
		{"--max-ttl 87600h --max-bytes 512GiB", ""},
		{"--nats-url nats://h --state-dir d", "--state-dir"},
		{"--nats-url nats://h --external-stream", ""},
		{"--external-stream", "--nats-url"},
		{"--nats-url nats://127.0.0.1:99999", "--nats-url: server 1 has the port 99999"},
		{"--nats-url nats://a:4222,b:0", "--nats-url: server 2 has the port 0"},
		{"--nats-url http://h", "--nats-url: server 1 has the scheme"},
		{"--nats-url nats://", "--nats-url: server 1 has no host"},
		{"--nats-url nats://h,", "--nats-url: server 2 has no host"},
		{"--nats-url nats://u:p%zz@h", "--nats-url: server 1 is no address"},
		{"--nats-url tls://h:4222,[::1]:4222,wss://h/path", ""},
		{"--nats-url nats://h --user u --tlsca f", ""},
		{"--context c --creds f", ""},
		{"--creds f", "--creds: the NATS server in this process"},
		{"--user u --password p --tlsca f --tlsfirst", "--user, --password, --tlsca, --tlsfirst: "},
		{"--connection-name n --token t --nkey f --tlscert f --tlskey f --socks-proxy h --inbox-prefix i", "--connection-name, --token, --nkey, --tlscert, --tlskey, --socks-proxy, --inbox-prefix: "},
		{"--max-events 0", "--max-events"},
		{"--max-events=-1", "--max-events"},
		{"--fleet Shop", "--fleet"},
		{"--log-format xml", "--log-format"},
	} {
		c := parseFlags(t, strings.Fields(tc.args)...)
		err := c.validate()
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%q: %v", tc.args, err)
		case tc.want != "" && (cli.Code(err) != cli.CodeUsage || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%q: got %v, want a usage error with %q", tc.args, err, tc.want)
		}
	}
}

func TestWhatTheFlagsSayReachesTheNode(t *testing.T) {
	t.Parallel()
	c := parseFlags(t, strings.Fields("--fleet shop --name n --max-bytes 1MiB --max-hot-bytes 2MiB --max-ttl 2h --max-staleness 7s --max-events 9 "+
		"--widen-storms --ordered-consumer --external-stream")...)
	want := lethe.Config{
		Fleet: "shop", Name: "n", MaxBytes: 1 << 20, MaxHotBytes: 2 << 20, MaxTTL: 2 * time.Hour, MaxStaleness: 7 * time.Second, MaxEvents: 9,
		WidenStorms: true, OrderedConsumer: true, ExternalStream: true,
	}
	if diff := cmp.Diff(want, c.node(nil, nil)); diff != "" {
		t.Error(diff)
	}
	c = parseFlags(t)
	if got := c.node(nil, nil); got.MaxEvents != 5000 || got.MaxHotBytes != 64<<20 || got.WidenStorms || got.OrderedConsumer || got.ExternalStream {
		t.Errorf("without flags: %+v", got)
	}
}

// TestTheFlagsAndTheNodeHaveTheSameBounds opens nodes at and beyond the bounds that check.go repeats.
func TestTheFlagsAndTheNodeHaveTheSameBounds(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{
		"--name a.b", "--name a-1", "--max-bytes 1MiB", "--max-bytes 1048575", "--max-bytes 512GiB", "--max-bytes 549755813889", "--max-hot-bytes 1MiB",
		"--max-hot-bytes 1048575", "--max-ttl 1ms", "--max-ttl 999999ns", "--max-ttl 87600h", "--max-ttl 87600h1ns", "--max-staleness 5s",
		"--max-staleness 4999999999ns", "--max-events=-1", "--max-events 1",
	} {
		c := parseFlags(t, append(strings.Fields(flag), "--nats-url", "nats://127.0.0.1:1")...)
		conf := c.node(nil, nil)
		conf.URL = c.nats.Server
		n, opened := lethe.Open(t.Context(), conf)
		if opened == nil {
			opened = n.Close()
		}
		if checked := c.validate(); (checked == nil) != (opened == nil) {
			t.Errorf("%s: the flags say %v, the node %v", flag, checked, opened)
		}
	}
}

func TestASizeReadsAsItPrints(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]size{"256MiB": 256 << 20, "1GiB": 1 << 30, "64KiB": 64 << 10, "1000": 1000} {
		var s size
		if err := s.Set(text); err != nil || s != want || s.String() != text {
			t.Errorf("%s: %d, printed %s, %v", text, s, s.String(), err)
		}
	}
	for _, text := range []string{"", "MiB", "0", "-1MiB", "1MB", "1.5GiB", "9999999999GiB"} {
		var s size
		if err := s.Set(text); err == nil {
			t.Errorf("%q was read as %d", text, s)
		}
	}
}
