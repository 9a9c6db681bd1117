package pgtest

import (
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// The script makes a cluster, runs it, and takes it down when its standard input ends: the other end of that pipe is held by
// the test process alone, so the system closes it however the process ends.
//
//go:embed server.sh
var script string

// server is one that runs as long as this process.
type server struct {
	address string       // of its database postgres
	stop    func() error // nobody calls it; kept, because what nobody keeps the collector closes
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
	stop, err := asPostgres(script, "lethe-postgres", programs, strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	return &server{address: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port), stop: stop}, nil
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
