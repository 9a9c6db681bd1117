package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/chaos/judge"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

const fleet = "chaos"

// member is the process of one node: it reads all the time, does what the driver asks, and reports both on its standard output.
type member struct {
	node *lethe.Node
	f    *functions
	rate int // reads a second

	tokens sync.Map // key -> known, the newest token the driver told of

	mu     sync.Mutex // guards what follows
	out    *bufio.Writer
	line   []byte
	errors map[string]int64
}

// known is the newest token of a key and the version it stands for.
type known struct {
	token   event.Token
	version int64
}

// beNode runs until its standard input ends.
func beNode(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	name := flags.String("name", "", "of the node")
	url := flags.String("url", "", "of NATS")
	socket := flags.String("database", "", "its socket")
	bound := flags.Duration("staleness", 5*time.Second, "MaxStaleness")
	rate := flags.Int("rate", 400, "reads a second")
	lie := flags.Int("lie", 0, "loads of a million that bring an older version")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n, err := lethe.Open(ctx, lethe.Config{
		URL: *url, Fleet: fleet, Name: *name, MaxStaleness: *bound, MaxBytes: 8 << 20, MaxHot: 128, Replicas: serversMost,
		NATSOptions: []nats.Option{nats.PingInterval(3 * time.Second)},
		Logger:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	defer func() { _ = n.Close() }()
	m := newMember(n, *rate)
	m.f = memoize(n, newDatabase(*socket, *lie))
	if err := n.Receive("chaos", m.hear, lethe.WithQueue(8192)); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i := range readers {
		wg.Go(func() { m.read(ctx, i) })
	}
	wg.Go(func() { m.tell(ctx) })
	return m.obey(ctx, &wg, os.Stdin, m.do)
}

func newMember(n *lethe.Node, rate int) *member {
	return &member{node: n, rate: rate, out: bufio.NewWriterSize(os.Stdout, 64<<10), errors: map[string]int64{}}
}

// obey does what the lines of in ask, each on a goroutine of its own.
func (m *member) obey(ctx context.Context, wg *sync.WaitGroup, in io.Reader, do func(context.Context, command) answer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return fmt.Errorf("command %q: %w", lines.Text(), err)
		}
		wg.Go(func() {
			a := do(ctx, c)
			a.ID = c.ID
			m.say("D", a)
		})
	}
	return lines.Err()
}

func (m *member) do(ctx context.Context, c command) (a answer) {
	var err error
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.For))
	defer cancel()
	switch c.Do {
	case doWait:
		err = m.wait(ctx, c)
	case doInvalidate:
		var t event.Token
		t, err = m.invalidate(ctx, c)
		a.Token = t.String()
	case doFinal:
		err = m.final(ctx, c)
	}
	if err != nil {
		a.Error, a.Refused = err.Error(), errors.Is(err, event.ErrInvalid)
	}
	return a
}

// wait tells of what is applied once Wait has said so.
func (m *member) wait(ctx context.Context, c command) error {
	t, err := event.ParseToken(c.Token)
	if err != nil {
		return err
	}
	for _, k := range c.Covers {
		if c.Kind != bySoft {
			m.tokens.Store(k.Key, known{t, k.Version})
		}
	}
	begin := mono()
	if err := m.node.Wait(ctx, t); err != nil {
		return err
	}
	m.applied("wait", begin, c.Kind == bySoft, c.Covers)
	return nil
}

// invalidate tells of what is applied here in any case, published or not.
func (m *member) invalidate(ctx context.Context, c command) (event.Token, error) {
	begin := mono()
	if c.Reason != "" {
		ctx = event.WithReason(ctx, c.Reason)
	}
	t, err := m.node.Invalidate(ctx, targets(c.Kind, keysOf(c.Covers))...)
	if err == nil || errors.Is(err, lethe.ErrNotPublished) {
		m.applied("local", begin, c.Kind == bySoft, c.Covers)
	}
	return t, err
}

// hear tells of what is applied where the event says what it covers.
func (m *member) hear(_ context.Context, e event.Event) error {
	now := mono()
	if r, ok := parseReason(e.Reason); ok && !r.part {
		m.applied("receive", now-1, r.soft, r.covers)
	}
	return nil
}

func (m *member) applied(how string, begin int64, soft bool, covers []judge.Cover) {
	a := judge.Applied{How: how, Begin: begin, End: mono(), Soft: soft, Covers: covers}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.line = append(judge.AppendApplied(m.line[:0], a), '\n')
	_, _ = m.out.Write(m.line)
}

func (m *member) reads(rs ...judge.Read) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range rs {
		m.line = append(judge.AppendRead(m.line[:0], r), '\n')
		_, _ = m.out.Write(m.line)
	}
}

func (m *member) say(mark string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it has nothing that JSON can't say
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = fmt.Fprintf(m.out, "%s %s\n", mark, b)
}

func (m *member) failed(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		text = "deadline"
	case len(m.errors) > 20:
		text = "others"
	}
	m.errors[text]++
}

// tell writes out what is gathered, often, and the node's counts, seldom.
func (m *member) tell(ctx context.Context) {
	flush, count := time.NewTicker(20*time.Millisecond), time.NewTicker(time.Second)
	defer flush.Stop()
	defer count.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-count.C:
			m.say("S", m.stats())
		case <-flush.C:
			m.mu.Lock()
			err := m.out.Flush()
			m.mu.Unlock()
			if err != nil {
				return // the driver is gone, and so will this process be
			}
		}
	}
}
