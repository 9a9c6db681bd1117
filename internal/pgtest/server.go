package pgtest

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The script makes a cluster, runs it, and takes it down when its standard input ends: the other end of that pipe is held by
// the test process alone, so the system closes it however the process ends.
//
//go:embed server.sh
var script string

// server is one that runs as long as this process.
type server struct {
	address string         // of its database postgres
	stop    io.WriteCloser // nobody closes it; kept, because what nobody keeps the collector closes
}

func start() (*server, error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	var tried []error
	for range 5 { // a port that was free may be taken by the time the server wants it
		s, err := startOn(programs)
		if err == nil {
			return s, nil
		}
		tried = append(tried, err)
	}
	return nil, errors.Join(tried...)
}

func startOn(programs string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := []string{"-c", script, "lethe-postgres", programs, strconv.Itoa(port)}
	cmd := exec.Command("/bin/sh", args...) //nolint:noctx,gosec // it lives as long as the process; the arguments are ours
	if os.Geteuid() == 0 {                  // PostgreSQL refuses to run as root
		cmd = exec.Command("su", append([]string{"postgres", "-s", "/bin/sh"}, args...)...) //nolint:noctx,gosec // the same
	}
	cmd.Dir = "/" // of which every user can read the name
	stop, err := cmd.StdinPipe()
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
		_ = stop.Close()
		return nil, fmt.Errorf("%s (%w)", strings.TrimSpace(said), errors.Join(err, cmd.Wait()))
	}
	s := &server{address: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port), stop: stop}
	return s, out.Close()
}

// freePort is one that nobody listens on at the moment.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it takes no time
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("%s has no port", l.Addr())
	}
	return address.Port, nil
}

// findPrograms is the folder of initdb and postgres: Debian has them outside PATH.
func findPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb"} {
		at, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		found = append(found, at...)
	}
	if found == nil {
		return "", errors.New("initdb is nowhere to be found")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}
