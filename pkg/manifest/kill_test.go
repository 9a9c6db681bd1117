package manifest_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// childEnv makes this program a process that applies and deletes until it is killed, or kills itself.
const childEnv = "LETHE_TEST_MANIFEST_CHILD"

type child struct {
	DSN, URL, Point string
	After           int // how many times the point is passed before
	Seed            uint64
}

// Points at which a child kills itself; at "random" its parent does.
const (
	atRandom      = "random"
	beforeCommit  = "before the commit"
	afterCommit   = "after the commit"
	beforePublish = "before the publish"
	afterPublish  = "after the publish, before the rows are deleted"
	afterToken    = "after the rows are deleted"
)

func points() []string {
	return []string{atRandom, beforeCommit, afterCommit, beforePublish, afterPublish, afterToken}
}

// pass kills this process when it has been here often enough. SIGKILL: nothing is tidied up.
func (c *child) pass(point string) {
	if point != c.Point {
		return
	}
	c.After--
	if c.After < 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// killing is a node that is killed while it announces.
type killing struct {
	*lethe.Node
	c *child
}

func (k killing) Forget(targets ...event.Target) { // called first after the commit
	k.c.pass(afterCommit)
	k.Node.Forget(targets...)
}

func (k killing) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	k.c.pass(beforePublish)
	tok, err := k.Node.Publish(ctx, events...)
	if err == nil {
		k.c.pass(afterPublish)
	}
	return tok, err
}

func runChild() int {
	var c child
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &c); err != nil {
		panic(err)
	}
	ctx := context.Background()
	node := must(lethe.Open(ctx, lethe.Config{URL: c.URL}))
	if err := node.Ready(ctx); err != nil {
		panic(err)
	}
	store := must(manifest.Open(ctx, c.DSN, killing{node, &c}))
	bots := must(manifest.Register(ctx, store, botKind()))
	store.BeforeCommit(func() { c.pass(beforeCommit) })
	fmt.Fprintln(os.Stdout, "ready")
	rng := rand.New(rand.NewPCG(c.Seed, 0))
	for {
		name := "bot-" + strconv.Itoa(rng.IntN(4))
		var err error
		if rng.IntN(3) == 0 {
			_, err = bots.Delete(ctx, "acme", name)
		} else {
			_, err = bots.Apply(ctx, bot(name, Bot{Account: "a" + strconv.Itoa(rng.IntN(3)), Model: strconv.Itoa(rng.Int())}))
		}
		if err != nil && !errors.Is(err, manifest.ErrNotFound) {
			panic(err)
		}
		c.pass(afterToken)
	}
}

// kills is how many processes are killed, for each engine.
func kills(t *testing.T) int {
	text := os.Getenv("LETHE_KILLS")
	if text == "" {
		return 2 * len(points())
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhateverIsKilledWhenEveryCommittedChangeIsAnnouncedAndNoOther(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "lethe.db")
		db := must(sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(60000)"))
		killAtEveryStep(t, "sqlite:"+file, db, []string{
			"CREATE TABLE history (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, version BIGINT, action TEXT)",
			"CREATE TRIGGER history_insert AFTER INSERT ON lethe_manifests BEGIN INSERT INTO history (name, version, action) VALUES (NEW.name, NEW.version, 'created'); END",
			"CREATE TRIGGER history_update AFTER UPDATE ON lethe_manifests BEGIN INSERT INTO history (name, version, action) VALUES (NEW.name, NEW.version, 'configured'); END",
			"CREATE TRIGGER history_delete AFTER DELETE ON lethe_manifests BEGIN INSERT INTO history (name, version, action) VALUES (OLD.name, (SELECT value FROM lethe_manifest_counter), 'deleted'); END",
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dsn := pgtest.DSN(t)
		killAtEveryStep(t, dsn, must(sql.Open("pgx", dsn)), []string{
			"CREATE TABLE history (number BIGSERIAL PRIMARY KEY, name TEXT, version BIGINT, action TEXT)",
			`CREATE FUNCTION history() RETURNS trigger AS $$ BEGIN
				IF TG_OP = 'DELETE' THEN INSERT INTO history (name, version, action) VALUES (OLD.name, currval('lethe_manifest_changes'), 'deleted');
				ELSIF TG_OP = 'INSERT' THEN INSERT INTO history (name, version, action) VALUES (NEW.name, NEW.version, 'created');
				ELSE INSERT INTO history (name, version, action) VALUES (NEW.name, NEW.version, 'configured'); END IF;
				RETURN NULL; END $$ LANGUAGE plpgsql`,
			"CREATE TRIGGER history AFTER INSERT OR UPDATE OR DELETE ON lethe_manifests FOR EACH ROW EXECUTE FUNCTION history()",
		})
	})
}

// told is a change as the database's own history has it, or as an event has it.
type told struct {
	name, action string
	version      int64
}

// killAtEveryStep kills processes and compares what the database itself has noted, in the transactions of the changes, with what
// a real stream holds in the end.
func killAtEveryStep(t *testing.T, dsn string, db *sql.DB, history []string) {
	t.Helper()
	defer func() { _ = db.Close() }()
	ctx := t.Context()
	srv := must(embedded.Start(ctx, embedded.Config{Listen: "127.0.0.1:0"}))
	defer func() { _ = srv.Close() }()
	node := must(lethe.Open(ctx, lethe.Config{URL: srv.URL()}))
	defer func() { _ = node.Close() }()
	if err := node.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if err := must(manifest.Open(ctx, dsn, node)).Close(); err != nil { // the tables
		t.Fatal(err)
	}
	for _, statement := range history {
		must(db.ExecContext(ctx, statement))
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for n := range kills(t) {
		c := child{DSN: dsn, URL: srv.URL(), Point: points()[n%len(points())], After: rng.IntN(8), Seed: rng.Uint64()}
		c.killed(t, time.Duration(rng.IntN(150))*time.Millisecond)
		// Its relay is known to be dead: the next one need not wait until that is clear.
		must(db.ExecContext(ctx, "UPDATE lethe_outbox_bus SET worker = ''"))
		must(db.ExecContext(ctx, "DELETE FROM lethe_outbox_relays"))
	}
	store := must(manifest.Open(ctx, dsn, node))
	defer func() { _ = store.Close() }()
	eventually(t, "nothing waits any more", func() bool {
		var waiting int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM lethe_outbox").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		return waiting == 0
	})
	committed, announced := noted(t, db), inStream(t, srv)
	first := map[told]bool{}
	last := map[string]int64{}
	for _, a := range announced {
		if first[a] {
			continue // again: a process was killed between the publish and the delete, and the server had forgotten it
		}
		first[a] = true
		if a.version < last[a.name] {
			t.Errorf("%+v is announced first after version %d of it", a, last[a.name])
		}
		last[a.name] = a.version
		if !slices.Contains(committed, a) {
			t.Errorf("%+v is announced, and was never committed", a)
		}
	}
	for _, c := range committed {
		if !first[c] {
			t.Errorf("%+v was committed and not announced", c)
		}
	}
	t.Logf("%d processes killed, %d changes committed, %d events about them in the stream", kills(t), len(committed), len(announced))
	if len(committed) < kills(t) {
		t.Errorf("only %d changes: that proves little", len(committed))
	}
}

// killed runs a process until it is dead.
func (c *child) killed(t *testing.T, after time.Duration) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), must(os.Executable()), "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(must(json.Marshal(c))))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	word, _ := bufio.NewReader(out).ReadString('\n')
	if word == "ready\n" && c.Point == atRandom {
		pause := time.NewTimer(after)
		<-pause.C
		_ = cmd.Process.Kill()
	}
	err := cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("%s: it was not killed but ended: %v\n%s", c.Point, err, stderr.String())
	}
}

func noted(t *testing.T, db *sql.DB) (all []told) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT name, version, action FROM history ORDER BY number")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var c told
		if err := rows.Scan(&c.name, &c.version, &c.action); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// inStream reads the whole stream, as the server holds it.
func inStream(t *testing.T, srv *embedded.Server) (all []told) {
	t.Helper()
	nc := must(srv.Connect())
	defer nc.Close()
	stream := must(must(jetstream.New(nc)).Stream(t.Context(), event.StreamName("default")))
	state := must(stream.Info(t.Context())).State
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		m := must(stream.GetMsg(t.Context(), seq))
		e := event.Decode("default", m.Subject, m.Header, m.Data).Event
		if e.Manifest != nil {
			all = append(all, told{e.Manifest.Name, e.Manifest.Action, must(strconv.ParseInt(e.Manifest.ResourceVersion, 10, 64))})
		}
	}
	return all
}
