package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// pgServer is one PostgreSQL server: a port and a folder that outlive its processes.
type pgServer struct {
	name, dir string
	port      int
	cmd       *exec.Cmd
	gone      chan struct{}
}

// pgPair is a server and its standby. What the first has committed the second has: commits wait for it, once it is there.
type pgPair struct {
	programs, dir string
	owner         *syscall.Credential // PostgreSQL refuses to run as root

	mu      sync.Mutex // guards what follows, held by who changes it
	servers [2]*pgServer
	first   int // which takes writes
	synced  bool
}

// startPair makes a server; its standby follows by rebuild.
func startPair(ctx context.Context) (p *pgPair, err error) {
	p = &pgPair{}
	if p.programs, err = postgresPrograms(); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "lethe-world-"); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2, os.Chown(p.dir, uid, gid)); err != nil {
			return nil, err
		}
		p.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	for i := range p.servers {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		p.servers[i] = &pgServer{name: fmt.Sprintf("postgres%d", i), dir: filepath.Join(p.dir, strconv.Itoa(i)), port: port}
	}
	if err := p.run(ctx, "initdb", "-D", p.servers[0].dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if err := p.start(ctx, p.servers[0]); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func postgresPrograms() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if found == nil {
		path, err := exec.LookPath("initdb")
		if err != nil {
			return "", errors.New("no PostgreSQL: apt-get install postgresql")
		}
		return filepath.Dir(path), nil
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1]), nil
}

func (p *pgPair) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.programs, program), args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.owner, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	return cmd
}

func (p *pgPair) run(ctx context.Context, program string, args ...string) error {
	if out, err := p.command(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out[max(0, len(out)-400):])
	}
	return nil
}

// start starts a server, and returns when it answers.
func (p *pgPair) start(ctx context.Context, s *pgServer) error {
	log, err := os.OpenFile(filepath.Join(p.dir, s.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	return poll(ctx, 2*time.Minute, s.name+" answers", func(one context.Context) error {
		if s.gone == nil || isClosed(s.gone) { // what ran before may not have let go of its memory yet
			s.cmd = p.command(context.WithoutCancel(ctx), "postgres", "-D", s.dir, "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
				"-c", "max_connections=200", "-c", "wal_level=replica", "-c", "max_wal_senders=10", "-c", "hot_standby=on", "-c", "wal_keep_size=256MB", "-c", "wal_retrieve_retry_interval=200ms",
				"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=on", "-c", "log_min_messages=fatal")
			s.cmd.Stderr = log
			if err := s.cmd.Start(); err != nil {
				return err
			}
			cmd, gone := s.cmd, make(chan struct{})
			s.gone = gone
			go func() { // ends with the process
				_ = cmd.Wait()
				close(gone)
			}()
		}
		return s.ask(one, "SELECT 1", new(int))
	})
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// ask asks a server for one value, on a connection of its own.
func (s *pgServer) ask(ctx context.Context, query string, value any) error {
	db, err := sql.Open("pgx", fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable&connect_timeout=3&default_query_exec_mode=exec", s.port))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return db.QueryRowContext(ctx, query).Scan(value)
}

// kill ends a server at once, in the middle of whatever it does.
func (s *pgServer) kill() {
	if s.gone == nil || isClosed(s.gone) {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.gone
}

// address is that of both: of which one takes writes.
func (p *pgPair) address() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable&target_session_attrs=read-write&connect_timeout=3", p.servers[0].port, p.servers[1].port)
}

// whileCommitsWait does something while the standby does not hear, so that commits wait for it.
func (p *pgPair) whileCommitsWait(ctx context.Context, most time.Duration, do func() error) error {
	if !p.synced || most == 0 {
		return do()
	}
	one, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var pid int
	if err := p.servers[1-p.first].ask(one, "SELECT pid FROM pg_stat_wal_receiver", &pid); err != nil {
		return do() // it hears nothing just now anyway
	}
	err := syscall.Kill(pid, syscall.SIGSTOP)
	wait(ctx, most)
	return errors.Join(err, do(), syscall.Kill(pid, syscall.SIGCONT))
}

// terminate ends some connections, in the middle of commits or not.
func (p *pgPair) terminate(ctx context.Context, some int, most time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	end := func() error {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		return p.servers[p.first].ask(one, fmt.Sprintf("SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE "+
			"backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY wait_event <> 'SyncRep', random() LIMIT %d) AS chosen", some), new(int))
	}
	return p.whileCommitsWait(ctx, most, end)
}

// crash kills the first server, in the middle of commits or not, and starts it again.
func (p *pgPair) crash(ctx context.Context, most, pause time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.servers[p.first]
	err := p.whileCommitsWait(ctx, most, func() error {
		s.kill()
		return nil
	})
	if err != nil {
		return errors.Join(err, p.start(context.WithoutCancel(ctx), s))
	}
	wait(ctx, pause)
	return p.start(context.WithoutCancel(ctx), s)
}

// promote kills the first server for good and makes the standby the first; errSkipped where that may lack what was committed.
func (p *pgPair) promote(ctx context.Context, pause time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.synced || !p.caughtUp(ctx) {
		return errSkipped
	}
	p.synced = false
	p.servers[p.first].kill()
	wait(ctx, pause)
	p.first = 1 - p.first
	ctx = context.WithoutCancel(ctx)
	s := p.servers[p.first]
	return poll(ctx, 2*time.Minute, s.name+" takes writes", func(one context.Context) error {
		var standby bool
		if err := s.ask(one, "SELECT pg_is_in_recovery()", &standby); err != nil || !standby {
			return err
		}
		return errors.Join(s.ask(one, "SELECT pg_promote(true, 60)", new(bool)), errStandby)
	})
}

// caughtUp says whether the standby has what stands in the first server: a commit whose connection was lost while it waited stands there all the same.
func (p *pgPair) caughtUp(ctx context.Context) bool {
	err := poll(ctx, 5*time.Second, "the standby has all", func(one context.Context) error {
		var now string
		if err := p.servers[p.first].ask(one, "SELECT pg_current_wal_flush_lsn()::text", &now); err != nil {
			return err
		}
		var has bool
		err := p.servers[1-p.first].ask(one, "SELECT coalesce(pg_last_wal_receive_lsn() >= '"+now+"'::pg_lsn, false)", &has)
		if err == nil && !has {
			err = errStandby
		}
		return err
	})
	return err == nil
}

var errStandby = errors.New("it is a standby still")

// rebuild makes the server that does not take writes a standby of the one that does, unless it is one.
func (p *pgPair) rebuild(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.synced {
		return nil
	}
	first, other := p.servers[p.first], p.servers[1-p.first]
	other.kill()
	if err := os.RemoveAll(other.dir); err != nil {
		return err
	}
	if err := p.run(ctx, "pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(first.port), "-U", "postgres", "-D", other.dir, "-R", "-c", "fast", "-X", "stream", "--no-sync"); err != nil {
		return err
	}
	if err := p.start(ctx, other); err != nil {
		return err
	}
	// From here on commits wait for it. In the end they don't: a server that is made from this one has none yet.
	if err := p.wanted(ctx, first, "'*'"); err != nil {
		return err
	}
	err := poll(ctx, time.Minute, other.name+" has all", func(one context.Context) error {
		var n int
		if err := first.ask(one, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'", &n); err != nil || n == 0 {
			return errors.Join(err, errStandby)
		}
		return nil
	})
	if p.synced = err == nil; !p.synced {
		err = errors.Join(err, p.wanted(ctx, first, "''"))
	}
	return err
}

// wanted says which standbys commits wait for, on the command line's side of a server: its folder is copied for the next standby.
func (p *pgPair) wanted(ctx context.Context, s *pgServer, names string) error {
	db, err := sql.Open("pgx", fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = " + names, "SELECT pg_reload_conf()"} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (p *pgPair) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.servers {
		if s != nil {
			s.kill()
		}
	}
	return os.RemoveAll(p.dir)
}
