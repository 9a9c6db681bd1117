package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
)

func TestMain(m *testing.M) { cmdtest.Main(m, "lethe-node", main) }

// The scripts run the program as a process of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("LETHE_MAX_STALENESS", cmdtest.Patience.String()) // a busy machine must not lose the lease between two reads
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeport": freePort,
			"get":      get,
			"said":     said,
			"once":     once,
			"forget":   forget,
			"occupy":   occupy,
			"apply":    applyFile,
			"edit":     edit,
			"exit":     cmdtest.ExitCode,
			"until":    cmdtest.Until,
		},
	})
}

// freePort NAME sets NAME to a loopback address nobody listens on.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv(name, l.Addr().String())
		ts.Check(l.Close())
	}
}

// occupy NAME sets NAME to a loopback address somebody listens on.
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Defer(func() { _ = l.Close() })
}

// get STATUS URL asks until the answer has that status, and prints it.
func get(ts *testscript.TestScript, _ bool, args []string) {
	until(ts, args[1], func(answer string) bool { return strings.HasPrefix(answer, args[0]) })
}

// said PATTERN URL asks until the pattern matches the answer, and prints it.
func said(ts *testscript.TestScript, _ bool, args []string) {
	text := regexp.MustCompile(args[0])
	until(ts, args[1], func(answer string) bool { return text.MatchString(answer) })
}

// once STATUS URL asks once, requires that status, and prints the answer.
func once(ts *testscript.TestScript, _ bool, args []string) {
	res, err := http.Get(args[1])
	ts.Check(err)
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	ts.Check(err)
	_, err = ts.Stdout().Write(body)
	ts.Check(err)
	if !strings.HasPrefix(res.Status, args[0]) {
		ts.Fatalf("%s answers %s: %s", args[1], res.Status, body)
	}
}

// forget NAME URL BODY posts an invalidation and sets NAME to its token.
func forget(ts *testscript.TestScript, _ bool, args []string) {
	res, err := http.Post(args[1], "application/json", strings.NewReader(args[2]))
	ts.Check(err)
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	ts.Check(err)
	token := res.Header.Get(tokenHeader)
	if res.StatusCode == http.StatusAccepted { // a busy machine takes longer than a second to announce it
		var late struct{ Ticket string }
		ts.Check(json.Unmarshal(body, &late))
		at, err := url.Parse(args[1])
		ts.Check(err)
		res, err = http.Get(at.Scheme + "://" + at.Host + "/v1/tickets/" + late.Ticket + "?timeout=60s")
		ts.Check(err)
		_ = res.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		token = res.Header.Get(tokenHeader)
	}
	if res.StatusCode != http.StatusOK || token == "" {
		ts.Fatalf("%s: %s %s", args[1], res.Status, body)
	}
	ts.Setenv(args[0], token)
}

// apply NAME URL FILE posts manifests and sets NAME to the token.
func applyFile(ts *testscript.TestScript, neg bool, args []string) {
	forget(ts, neg, []string{args[0], args[1], ts.ReadFile(args[2])})
}

// edit FILE OLD NEW replaces one text in a file by another.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	text := strings.ReplaceAll(ts.ReadFile(args[0]), args[1], args[2])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

func until(ts *testscript.TestScript, from string, good func(answer string) bool) {
	last := ""
	for deadline := time.Now().Add(cmdtest.Patience); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		res, err := http.Get(from)
		if err != nil {
			last = err.Error()
			continue
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		ts.Check(err)
		if last = res.Status + " " + string(body); good(last) {
			http.DefaultClient.CloseIdleConnections()
			_, err = ts.Stdout().Write(body)
			ts.Check(err)
			return
		}
	}
	ts.Fatalf("%s still answers %s", from, last)
}

func TestUsageErrorsAreCode2(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"--no-such-flag", "no-such-command", "serve no-such-word", "serve --no-such-flag", "version no-such-word", "healthcheck no-such-word", "completion", "completion no-such-word", "serve --http :8080", "serve --drain-delay soon", "serve --admin 8079", "serve --log-level loud", "--nats-url garbage:::// --http 127.0.0.1:0", "--max-ttl 0", "--max-hot-bytes 0", "healthcheck --http 8080"} {
		root := newRoot()
		root.SetArgs(strings.Fields(line))
		var said strings.Builder
		root.SetErr(&said)
		if got := cli.Execute(t.Context(), root); got != cli.CodeUsage {
			t.Errorf("%s: code %d: %s", line, got, said.String())
		}
	}
}

func TestALogLevelThatIsNoneListsTheLevels(t *testing.T) {
	t.Parallel()
	root := newRoot()
	root.SetArgs([]string{"--log-level", "loud"})
	var said strings.Builder
	root.SetErr(&said)
	if got := cli.Execute(t.Context(), root); got != cli.CodeUsage || !strings.Contains(said.String(), "debug, info, warn or error") {
		t.Errorf("code %d: %s", got, said.String())
	}
}

func TestTheExitCodesOfANodeAreThoseThatItsHelpLists(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, errors.New("x"), cli.Usagef("x"), nats.ErrAuthorization, context.DeadlineExceeded} {
		want := cli.CodeFailed
		if code := cli.Code(err); code == cli.CodeOK || code == cli.CodeUsage {
			want = code
		}
		if got := cli.Code(ended(err)); got != want {
			t.Errorf("%v: code %d, want %d", err, got, want)
		}
	}
	docs, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(docs), newRoot().Long} {
		if !strings.Contains(text, "Exit codes: 0 ended by SIGINT or SIGTERM, 1 error, 2 wrong flags. Servers that can't be reached are waited for") {
			t.Errorf("other exit codes: %.300s", text)
		}
	}
}
