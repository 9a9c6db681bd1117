package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/desk"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestMain(m *testing.M) { cmdtest.Main(m, "lethe-publisher", main) }

// price is what nodes of the scripts memoize; the number counts its loads.
const price event.Name[string] = "catalog.price"

// bench is what a script has besides the program: a server, and nodes in this process.
type bench struct {
	server *embedded.Server
	nodes  map[string]*shelf
	broken map[string]*atomic.Bool // receivers that fail, by name
}

type shelf struct {
	node  *lethe.Node
	price *lethe.Func[string, string]
	loads atomic.Int64
	link  cmdtest.Link
	desk  *desk.Desk // nil: no database
}

// Each script has a server of its own at NATS_URL.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			srv, err := embedded.Start(context.Background(), embedded.Config{Listen: "127.0.0.1:0"})
			if err != nil {
				return err
			}
			env.Defer(func() { _ = srv.Close() })
			env.Setenv("NATS_URL", srv.URL())
			env.Setenv("LETHE_TIMEOUT", cmdtest.Patience.String()) // a script that wants less says so
			env.Values["bench"] = &bench{srv, map[string]*shelf{}, map[string]*atomic.Bool{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"node":  startNode,
			"read":  readPrice,
			"exit":  cmdtest.ExitCode,
			"until": cmdtest.Until,
			"say":   say,
			"save":  save,

			"spec":   readSpec,
			"large":  large,
			"edit":   edit,
			"field":  field,
			"freeze": freeze,
			"thaw":   thaw,
			"leave":  leave,

			"guarded": guarded,

			"receive": receive,
			"mend":    mend,
			"letters": letters,
		},
	})
}

func benchOf(ts *testscript.TestScript) *bench {
	b, ok := ts.Value("bench").(*bench)
	if !ok {
		ts.Fatalf("no bench")
	}
	return b
}

// node NAME FLEET [DATABASE [journal]] starts a node that memoizes catalog.price and waits until it is current. With a database it keeps
// manifests there, and a journal of them.
func startNode(ts *testscript.TestScript, _ bool, args []string) {
	b := benchOf(ts)
	ctx, cancel := context.WithTimeout(context.Background(), cmdtest.Patience)
	defer cancel()
	s := &shelf{}
	conn, err := nats.Connect(b.server.URL(), nats.MaxReconnects(-1), nats.Timeout(cmdtest.Patience), s.link.Option())
	ts.Check(err)
	ts.Defer(conn.Close)
	s.node, err = lethe.Open(ctx, lethe.Config{Conn: conn, Name: args[0], Fleet: args[1], MaxStaleness: cmdtest.Patience})
	ts.Check(err)
	ts.Defer(func() { _ = s.node.Close() })
	s.price = lethe.Memoize(s.node, price, func(ctx context.Context, sku string) (string, error) {
		family, _, _ := strings.Cut(sku, "-")
		lethe.AddTags(ctx, "shelf:"+family+"/"+sku)
		return fmt.Sprintf("%s costs %d", sku, s.loads.Add(1)), nil
	}, lethe.WithStale(time.Minute))
	var answers []ctl.Endpoint
	outbox := func() *ctl.Outbox { return nil }
	if len(args) > 2 {
		var opts []manifest.Option
		if len(args) > 3 {
			opts = append(opts, manifest.WithJournal(0))
		}
		store, err := manifest.Open(ctx, args[2], s.node, opts...)
		ts.Check(err)
		ts.Defer(func() { _ = store.Close() })
		s.desk = desk.New(s.node, store, time.Hour, slog.New(slog.DiscardHandler))
		answers, outbox = s.desk.Endpoints(), s.desk.Outbox
	}
	stop, err := ctl.ServeWith(conn, s.node, outbox, answers...)
	ts.Check(err)
	ts.Defer(func() { _ = stop() })
	ts.Check(s.node.Ready(ctx))
	if s.desk != nil {
		ts.Check(s.desk.Ready(ctx))
	}
	b.nodes[args[0]] = s
	ts.Defer(s.link.Thaw) // the first to run
}

// read NODE SKU [TOKEN] prints the price and how it was answered; with a token, once the node has applied it.
func readPrice(ts *testscript.TestScript, _ bool, args []string) {
	s := benchOf(ts).nodes[args[0]]
	ctx, cancel := context.WithTimeout(context.Background(), cmdtest.Patience)
	defer cancel()
	if len(args) > 2 {
		token, err := event.ParseToken(strings.TrimSpace(args[2]))
		ts.Check(err)
		ts.Check(s.node.Wait(ctx, token))
	}
	got, err := s.price.Lookup(ctx, args[1])
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s: %s\n", got.Value, got.Cache)
}

// spec NODE KIND/NAMESPACE/NAME [TOKEN] prints an object's spec as the node has it, and how it was answered.
func readSpec(ts *testscript.TestScript, _ bool, args []string) {
	s := benchOf(ts).nodes[args[0]]
	ctx, cancel := context.WithTimeout(context.Background(), cmdtest.Patience)
	defer cancel()
	if len(args) > 2 {
		token, err := event.ParseToken(strings.TrimSpace(args[2]))
		ts.Check(err)
		ts.Check(s.node.Wait(ctx, token))
	}
	parts := strings.Split(args[1], "/")
	got, err := s.desk.Lookup(ctx, ctl.Name{Kind: parts[0], Namespace: parts[1], Name: parts[2]})
	if err != nil {
		fmt.Fprintf(ts.Stdout(), "%v: %s\n", err, got.Cache)
		return
	}
	var o struct {
		Spec json.RawMessage `json:"spec"`
	}
	ts.Check(json.Unmarshal(got.Value, &o))
	fmt.Fprintf(ts.Stdout(), "%s: %s\n", o.Spec, got.Cache)
}

// large FILE COUNT BYTES writes so many Chatbots, each so long.
func large(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	size, err := strconv.Atoi(args[2])
	ts.Check(err)
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "---\napiVersion: example.dev/v1\nkind: Chatbot\nmetadata: {name: %s-%d, namespace: big}\nspec: {model: %s}\n", "bot", i, strings.Repeat("m", size))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// freeze NODE keeps everything from that node, as if its process were stopped.
func freeze(ts *testscript.TestScript, _ bool, args []string) {
	benchOf(ts).nodes[args[0]].link.Freeze()
}

// thaw NODE ends that.
func thaw(ts *testscript.TestScript, _ bool, args []string) { benchOf(ts).nodes[args[0]].link.Thaw() }

// leave NODE closes it.
func leave(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(benchOf(ts).nodes[args[0]].node.Close())
}

// say SUBJECT BODY publishes as a program does that only knows NATS.
func say(ts *testscript.TestScript, _ bool, args []string) {
	conn, err := benchOf(ts).server.Connect()
	ts.Check(err)
	defer conn.Close()
	_, err = conn.Request(args[0], []byte(args[1]), cmdtest.Patience)
	ts.Check(err)
}

// guarded NAME sets NAME to a server with users: admin may do everything; catalog may say what its team may say; asking may
// in addition ask the fleet what it has applied; mute may not even ask for the stream.
func guarded(ts *testscript.TestScript, _ bool, args []string) {
	dir, err := os.MkdirTemp("", "guarded-")
	ts.Check(err)
	inbox := &server.SubjectPermission{Allow: []string{"_INBOX.>"}}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true,
		Users: []*server.User{
			{Username: "admin", Password: "pw"},
			{Username: "catalog", Password: "pw", Permissions: &server.Permissions{Subscribe: inbox, Publish: &server.SubjectPermission{
				Allow: []string{"lethe.v1.log.shop.fn.catalog.>", "$JS.API.STREAM.INFO.LETHE_SHOP"},
			}}},
			{Username: "asking", Password: "pw", Permissions: &server.Permissions{Subscribe: inbox, Publish: &server.SubjectPermission{
				Allow: []string{"lethe.v1.log.shop.fn.catalog.>", "$JS.API.STREAM.INFO.LETHE_SHOP", "lethe.v1.ctl.shop.barrier"},
			}}},
			{Username: "mute", Password: "pw", Permissions: &server.Permissions{Subscribe: inbox, Publish: &server.SubjectPermission{Deny: []string{">"}}}},
		},
	})
	ts.Check(err)
	s.Start()
	ts.Defer(func() {
		s.Shutdown()
		s.WaitForShutdown()
		_ = os.RemoveAll(dir)
	})
	if !s.ReadyForConnections(cmdtest.Patience) {
		ts.Fatalf("the server does not start")
	}
	ts.Setenv(args[0], s.ClientURL())
}

// edit FILE OLD NEW replaces one text in a file by another.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	text := strings.ReplaceAll(ts.ReadFile(args[0]), args[1], args[2])
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// field NAME FILE FIELD sets NAME to a field of a JSON object.
func field(ts *testscript.TestScript, _ bool, args []string) {
	var o map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &o))
	text, ok := o[args[2]].(string)
	if !ok {
		ts.Fatalf("no field %s in %v", args[2], o)
	}
	ts.Setenv(args[0], text)
}

// save NAME FILE sets NAME to what a file (or stdout) says, without the line's end.
func save(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}
