package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lethe-cache/lethe/internal/bus"
)

func TestTheEnvironmentFillsWhatTheCommandLineLeftOut(t *testing.T) {
	t.Parallel()
	fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
	fleet := fs.String("fleet", "default", "")
	format := fs.String("log-format", "text", "")
	url := fs.String("nats-url", "", "")
	wait := fs.Duration("timeout", 0, "")
	all := fs.Bool("all", false, "")
	if err := fs.Parse([]string{"--fleet", "line"}); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"LETHE_FLEET": "env", "LETHE_LOG_FORMAT": "json", "NATS_URL": "nats://h", "LETHE_TIMEOUT": "", "LETHE_ALL": "true"}
	if err := FromEnv(fs, func(name string) string { return env[name] }); err != nil {
		t.Fatal(err)
	}
	if *fleet != "line" || *format != "json" || *url != "nats://h" || *wait != 0 || *all {
		t.Errorf("fleet %s, format %s, url %s, timeout %v, all %v", *fleet, *format, *url, *wait, *all)
	}
	env["LETHE_TIMEOUT"] = "soon"
	if err := FromEnv(fs, func(name string) string { return env[name] }); err == nil || !strings.Contains(err.Error(), "LETHE_TIMEOUT") {
		t.Errorf("a bad variable: %v", err)
	}
}

func TestEveryFailureHasItsExitCode(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want int
	}{
		{nil, CodeOK},
		{errors.New("x"), CodeFailed},
		{Usagef("x"), CodeUsage},
		{fmt.Errorf("a: %w", Exit(CodeUnknown, errors.New("x"))), CodeUnknown},
		{fmt.Errorf("a: %w", context.DeadlineExceeded), CodeUnknown},
		{fmt.Errorf("a: %w", nats.ErrTimeout), CodeUnknown},
		{fmt.Errorf("a: %w", bus.ErrUnknown), CodeUnknown},
		{fmt.Errorf("a: %w", nats.ErrAuthorization), CodeConnection},
		{fmt.Errorf("%w: %w", context.DeadlineExceeded, nats.ErrPermissionViolation), CodeConnection},
		{nats.ErrNoServers, CodeConnection},
	} {
		if got := Code(tc.err); got != tc.want {
			t.Errorf("%v: got %d, want %d", tc.err, got, tc.want)
		}
	}
}

func TestOnlyWhatFailsBeforeTheWorkIsAUsageError(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args string
		want int
	}{
		{"work", CodeFailed},
		{"work --no-such-flag", CodeUsage},
		{"work too many", CodeUsage},
		{"no-such-command", CodeUsage},
		{"work --help", CodeOK},
	} {
		var said strings.Builder
		root := &cobra.Command{Use: "prog"}
		root.AddCommand(&cobra.Command{Use: "work", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error { return errors.New("failed") }})
		root.SetArgs(strings.Fields(tc.args))
		root.SetErr(&said)
		root.SetOut(&strings.Builder{})
		if got := Execute(t.Context(), root); got != tc.want {
			t.Errorf("%s: got %d, want %d: %s", tc.args, got, tc.want, said.String())
		}
		if tc.want == CodeUsage && !strings.Contains(said.String(), "--help") {
			t.Errorf("%s: no way to help: %s", tc.args, said.String())
		}
	}
}

func TestCredentialsDoNotShowInErrors(t *testing.T) {
	t.Parallel()
	got := Redact("nats://user:secret@a:4222,token@b, tls://c")
	if got != "nats://a:4222,nats://b,tls://c" {
		t.Errorf("got %q", got)
	}
	c := Connection{Server: "nats://me:secret@127.0.0.1:1"}
	_, err := c.Connect(1e9)
	if Code(err) != CodeConnection || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "NATS_URL") {
		t.Errorf("got %v", err)
	}
}

func TestConnectionFlagsThatContradictAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Connection{
		"half a certificate": {TLSCert: "c"},
		"password only":      {Password: "p"},
		"two ways":           {Creds: "c", NKey: "n"},
		"no such port":       {Server: "nats://127.0.0.1:99999"},
		"no such scheme":     {Server: "nats://h,mysql://h"},
	} {
		if _, _, err := c.Resolve(); Code(err) != CodeUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}
