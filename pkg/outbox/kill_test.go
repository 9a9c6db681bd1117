package outbox_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// kills is how many processes are killed on each engine; LETHE_KILLS says otherwise.
func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("LETHE_KILLS")
	if text == "" {
		return 40
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("LETHE_KILLS is %q: use a number", text)
	}
	return n
}

// shop is a database for processes that are killed, and the driver that they open it with.
type shop struct {
	engine
	driver string
}

func killable() []shop { return []shop{{engines()[0], "sqlite"}, {engines()[1], "pgx"}} }

// stocked is a fresh database with products that no one has changed, and a table of their changes.
func (s shop) stocked(t *testing.T) (dsn string, db *sql.DB) {
	t.Helper()
	dsn, db = s.fresh(t)
	run(t, db, "CREATE TABLE changes (sku TEXT NOT NULL, change INTEGER NOT NULL, tag TEXT NOT NULL)")
	for sku := range products {
		run(t, db, "INSERT INTO products (sku, changes) VALUES ($1, 0)", fmt.Sprint(sku))
	}
	return dsn, db
}

func TestKilledAtAnyStepNothingIsLostNothingInventedAndTheOrderIsKept(t *testing.T) {
	t.Parallel()
	for _, e := range killable() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			dsn, db := e.stocked(t)
			srv, err := embedded.Start(t.Context(), embedded.Config{StateDir: t.TempDir(), Listen: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = srv.Close() })
			p := settle(t, connect(t, srv))
			began := time.Now()
			deaths := slaughter(t, plan{Driver: e.driver, DSN: dsn, NATS: srv.URL()}, kills(t))
			r := start(t, db, p, func(s *setting) { s.times = quick() })
			drained(t, r)
			n := judge(t, db, p.nc)
			t.Logf("%v in %v; %d changes", deaths, time.Since(began).Round(time.Second), n)
		})
	}
}

// slaughter has processes write and relay, two at a time, until each has killed itself.
func slaughter(t *testing.T, p plan, n int) map[string]int {
	t.Helper()
	points := []string{"appended", "committed", "published", "settled"}
	deaths := make(map[string]int)
	var wg sync.WaitGroup
	free := make(chan struct{}, 2)
	for i := range n {
		mine := p
		mine.Point, mine.After = points[i%len(points)], rand.N(12)
		mine.Skew = time.Duration(rand.N(9)-4) * time.Second
		deaths[mine.Point]++
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			if err := dies(t, mine); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return deaths
}

// dies runs a process that kills itself.
func dies(t *testing.T, p plan) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childPlan+"="+string(text))
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	stuck := time.AfterFunc(patience, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	defer stuck.Stop()
	err = cmd.Wait()
	if state, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !state.Signaled() || state.Signal() != syscall.SIGKILL {
		return fmt.Errorf("the process %s/%d did not kill itself (%w): %s", p.Point, p.After, err, said.String())
	}
	return nil
}

// judge compares what committed with what the stream holds, and returns how much it was.
func judge(t *testing.T, db *sql.DB, nc *nats.Conn) int {
	t.Helper()
	committed := make(map[string][]string) // by product, in the order of its changes
	rows, err := db.QueryContext(t.Context(), "SELECT sku, tag FROM changes ORDER BY sku, change")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var sku, tag string
		if err := rows.Scan(&sku, &tag); err != nil {
			t.Fatal(err)
		}
		committed[sku] = append(committed[sku], tag)
		n++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	announced := make(map[string][]string) // first appearances
	seen := make(map[string]bool)
	for _, got := range heard(t, nc) {
		for _, target := range got.Targets {
			tag := strings.TrimPrefix(target.String(), "tag/")
			if !seen[tag] {
				seen[tag] = true
				sku := strings.TrimPrefix(tag[:strings.IndexByte(tag, ':')], "p")
				announced[sku] = append(announced[sku], tag)
			}
		}
	}
	for sku := range products {
		want, got := committed[fmt.Sprint(sku)], announced[fmt.Sprint(sku)]
		if !slices.Equal(want, got) {
			t.Errorf("product %d: committed are %d changes, announced %d:\n%v\n%v", sku, len(want), len(got), want, got)
		}
	}
	return n
}

func TestAProcessKilledOnAnotherBusIsWaitedForAndThenEverythingIsAnnouncedFirst(t *testing.T) {
	t.Parallel()
	for _, e := range killable() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			dsn, db := e.stocked(t)
			elsewhere := serverOnTCP(t)
			provide(t, elsewhere.dial(t))
			if err := dies(t, plan{Driver: e.driver, DSN: dsn, NATS: elsewhere.URL(), Point: "settled", After: 3}); err != nil {
				t.Fatal(err)
			}
			p := settle(t, connect(t, serve(t)))
			r := start(t, db, p, hasty, func(s *setting) { s.times.Lapse = 2 * time.Second })
			eventually(t, "it refuses first", func() bool { return errors.Is(r.Err(), outbox.ErrOtherBus) })
			ticket := e.write(t, db, true, event.Tag("user:1"))
			if err := r.Ready(patient(t)); err != nil {
				t.Fatal(err)
			}
			mustWait(t, r, ticket)
			if lines := said(t, p.nc); len(lines) == 0 || lines[0] != "[*]" {
				t.Errorf("%v", lines)
			}
		})
	}
}
