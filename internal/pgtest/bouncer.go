package pgtest

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

//go:embed bouncer.sh
var bouncerScript string

// Bouncer starts a PgBouncer in front of the server of a DSN, in one of its pool modes: session, transaction or statement. It returns the address of the
// same database behind it. More settings are lines of its [pgbouncer] section. It ends with the test.
//
// PgBouncer has to be installed, or the variable LETHE_TEST_PGBOUNCER names the program; without it the test fails.
func Bouncer(tb testing.TB, dsn, mode string, settings ...string) string {
	tb.Helper()
	program, err := findBouncer()
	if err != nil {
		tb.Fatalf("no PgBouncer to test with: %v; apt-get install pgbouncer, or set LETHE_TEST_PGBOUNCER to its program", err)
	}
	var tried []error
	for range 5 { // a port that was free may be taken by the time it is wanted
		address, stop, err := bounce(program, dsn, mode, settings)
		if err == nil {
			tb.Cleanup(func() { _ = stop() })
			return address
		}
		tried = append(tried, err)
	}
	tb.Fatal(errors.Join(tried...))
	return ""
}

func findBouncer() (string, error) {
	if program := os.Getenv("LETHE_TEST_PGBOUNCER"); program != "" {
		return program, nil
	}
	const debian = "/usr/sbin/pgbouncer" // not in everybody's PATH
	if _, err := os.Stat(debian); err == nil {
		return debian, nil
	}
	return exec.LookPath("pgbouncer")
}

func bounce(program, dsn, mode string, settings []string) (address string, stop func() error, err error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	server := "host=" + u.Hostname() + " user=" + u.User.Username()
	if u.Port() != "" {
		server += " port=" + u.Port()
	}
	if password, ok := u.User.Password(); ok {
		server += " password=" + password
	}
	config := fmt.Sprintf("[databases]\n* = %s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\n"+
		"pool_mode = %s\nmax_client_conn = 400\n%s\n", server, port, mode, strings.Join(settings, "\n"))
	if stop, err = asPostgres(bouncerScript, "lethe-pgbouncer", program, config); err != nil {
		return "", nil, err
	}
	query := u.Query()
	query.Set("sslmode", "disable")
	behind := url.URL{Scheme: "postgres", User: url.User("anybody"), Host: fmt.Sprintf("127.0.0.1:%d", port), Path: u.Path, RawQuery: query.Encode()}
	return behind.String(), stop, nil
}

// asPostgres runs a script that says "ready", and goes on until its standard input ends: by what is returned, or with this process.
func asPostgres(script, name string, arguments ...string) (stop func() error, err error) {
	args := append([]string{"-c", script, name}, arguments...)
	cmd := exec.Command("/bin/sh", args...) //nolint:noctx,gosec // it lives as long as the process; the arguments are ours
	if os.Geteuid() == 0 {                  // PostgreSQL and PgBouncer refuse to run as root
		cmd = exec.Command("su", append([]string{"postgres", "-s", "/bin/sh"}, args...)...) //nolint:noctx,gosec // the same
	}
	cmd.Dir = "/" // of which every user can read the name
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || said != "ready\n" {
		_ = in.Close()
		return nil, fmt.Errorf("%s (%w)", strings.TrimSpace(said), errors.Join(err, cmd.Wait()))
	}
	_ = out.Close()
	return func() error { return errors.Join(in.Close(), cmd.Wait()) }, nil
}
