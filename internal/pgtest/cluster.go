package pgtest

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

//go:embed cluster.sh
var clusterScript string

// Cluster is servers of a test's own that may be stopped, copied, restored and promoted. Each has its data in a folder of that name, and
// syncs nothing to the disk; what the system has is there after any stop but the machine's. They end with the test, and with its process.
type Cluster struct {
	tb    testing.TB
	to    io.WriteCloser
	from  *bufio.Reader
	ports map[string]int
}

// NewCluster makes a server "one" with a database shop, and starts it.
func NewCluster(tb testing.TB) *Cluster {
	tb.Helper()
	programs, err := findPrograms()
	if err != nil {
		tb.Fatalf("no PostgreSQL to test with: %v; apt-get install postgresql", err)
	}
	args := []string{"-c", clusterScript, "lethe-cluster", programs}
	cmd := exec.Command("/bin/sh", args...) //nolint:noctx,gosec // it lives as long as the test; the arguments are ours
	if os.Geteuid() == 0 {                  // PostgreSQL refuses to run as root
		cmd = exec.Command("su", append([]string{"postgres", "-s", "/bin/sh"}, args...)...) //nolint:noctx,gosec // the same
	}
	cmd.Dir = "/"
	c := &Cluster{tb: tb, ports: make(map[string]int)}
	if c.to, err = cmd.StdinPipe(); err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = c.to.Close()
		_ = cmd.Wait()
	})
	c.from = bufio.NewReader(out)
	if said, err := c.from.ReadString('\n'); err != nil || said != "ready\n" {
		tb.Fatalf("the cluster does not start: %q, %v", said, err)
	}
	c.Run(`"$bin/initdb" -D one -U postgres -A trust -E UTF8 --locale=C --no-sync --no-instructions`)
	c.Run(`printf '%s\n' "unix_socket_directories = '$folder'" "listen_addresses = '127.0.0.1'" 'fsync = off' 'full_page_writes = off' ` +
		`'max_connections = 60' 'wal_level = replica' 'wal_keep_size = 128MB' 'hot_standby_feedback = on' >>one/postgresql.conf`)
	c.Start("one")
	c.Run(c.client("createdb", "one") + " shop")
	return c
}

// Run runs a line of shell as the servers' user, in the folder that theirs are in; $bin are PostgreSQL's programs.
func (c *Cluster) Run(line string) {
	c.tb.Helper()
	if strings.Contains(line, "\n") {
		c.tb.Fatalf("%q has several lines", line)
	}
	if _, err := io.WriteString(c.to, line+"\n"); err != nil {
		c.tb.Fatalf("%s: %v", line, err)
	}
	said, err := c.from.ReadString('\n')
	if code, text, _ := strings.Cut(strings.TrimSpace(said), " "); err != nil || code != "0" {
		c.tb.Fatalf("%s: %s %v", line, text, err)
	}
}

// Start starts a server, on the port that it had before where it has been started before.
func (c *Cluster) Start(name string) {
	c.tb.Helper()
	port := c.ports[name]
	if port == 0 {
		free, err := freePort()
		if err != nil {
			c.tb.Fatal(err)
		}
		port, c.ports[name] = free, free
	}
	c.Run(fmt.Sprintf(`"$bin/pg_ctl" -D %s -l %s.log -w -t 120 -o "-p %d" start || { tail -n 5 %s.log; exit 1; }`, name, name, port, name))
}

// Stop stops a server: immediate is as if it was killed, fast lets it write what it has.
func (c *Cluster) Stop(name, mode string) {
	c.tb.Helper()
	c.Run(`"$bin/pg_ctl" -D ` + name + " -m " + mode + " -w -t 120 stop")
}

// Copy makes one folder what another one is.
func (c *Cluster) Copy(from, to string) {
	c.tb.Helper()
	c.Run("rm -rf " + to + " && cp -a " + from + " " + to)
}

// Standby makes a server that follows another one, and starts it. It gets nothing more while Pause says so.
func (c *Cluster) Standby(of, name string) {
	c.tb.Helper()
	c.Run(fmt.Sprintf(`"$bin/pg_basebackup" -h 127.0.0.1 -p %d -U postgres -D %s -R -X stream -c fast --no-sync`, c.ports[of], name))
	c.Start(name)
}

// CutOff lets a standby follow no longer, so that it falls behind. (One whose replay is paused has all the same, and replays it when it is
// promoted.)
func (c *Cluster) CutOff(name string) {
	c.tb.Helper()
	c.SQL(name, "ALTER SYSTEM SET primary_conninfo = ''")
	c.SQL(name, "SELECT pg_reload_conf()")
	c.Run("until [ $(" + c.client("psql", name) + ` -Atd shop -c "SELECT count(*) FROM pg_stat_wal_receiver") = 0 ]; do sleep 0.1; done`)
}

// Promote makes a standby a server of its own, as it is.
func (c *Cluster) Promote(name string) {
	c.tb.Helper()
	c.Run(`"$bin/pg_ctl" -D ` + name + " -w -t 120 promote")
}

// SQL runs a statement in the database shop of a server.
func (c *Cluster) SQL(name, statement string) {
	c.tb.Helper()
	c.Run(c.client("psql", name) + ` -q -v ON_ERROR_STOP=1 -d shop -c "` + statement + `"`)
}

// client is the beginning of a line that calls one of PostgreSQL's clients.
func (c *Cluster) client(program, name string) string {
	return `"$bin/` + program + `" -h 127.0.0.1 -U postgres -p ` + strconv.Itoa(c.ports[name])
}

// Client is the beginning of a line that calls one of PostgreSQL's clients on a server: pg_dump, pg_restore.
func (c *Cluster) Client(program, name string) string { return c.client(program, name) }

// DSN is the address of the database shop, on whichever of some servers takes changes.
func (c *Cluster) DSN(names ...string) string {
	hosts := make([]string, len(names))
	for i, name := range names {
		hosts[i] = "127.0.0.1:" + strconv.Itoa(c.ports[name])
	}
	return "postgres://postgres@" + strings.Join(hosts, ",") + "/shop?sslmode=disable&target_session_attrs=read-write&connect_timeout=5"
}
