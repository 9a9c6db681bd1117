package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

const kindOfBots = `
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: chatbot}
spec:
  apiVersion: example.dev/v1
  names: {kind: Chatbot, plural: chatbots, shortNames: [bot]}
  schema: {type: object, required: [model], properties: {model: {type: string}}}
`

func bot(name, model string) string {
	return fmt.Sprintf("---\napiVersion: example.dev/v1\nkind: Chatbot\nmetadata: {namespace: acme, name: %s}\nspec: {model: %s}\n", name, model)
}

// office is a desk that is asked over NATS.
type office struct {
	*Desk
	t  *testing.T
	nc *nats.Conn
}

func newOffice(t *testing.T) *office {
	t.Helper()
	return newOfficeOn(t, "sqlite::memory:", slog.New(slog.DiscardHandler))
}

func newOfficeOn(t *testing.T, dsn string, log *slog.Logger, opts ...manifest.Option) *office {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	nc, err := srv.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	n, err := lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "shop", Name: "one", MaxStaleness: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	store, err := manifest.Open(t.Context(), dsn, n, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	d := New(n, store, time.Hour, log)
	stop, err := ctl.Serve(nc, n, d.Endpoints()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	if err := errors.Join(n.Ready(within(t)), d.Ready(within(t))); err != nil {
		t.Fatal(err)
	}
	return &office{d, t, nc}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// ask asks, and returns the refusal if there is one.
func (o *office) ask(what, body string, answer any, header ...string) *ctl.Refusal {
	o.t.Helper()
	h := nats.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	err := ctl.Request(within(o.t), o.nc, "shop", what, []byte(body), h, answer)
	var no *ctl.Refusal
	if err != nil && !errors.As(err, &no) {
		o.t.Fatalf("%s %s: %v", what, body, err)
	}
	return no
}

// must is ask where nothing is refused.
func (o *office) must(what, body string, answer any, header ...string) {
	o.t.Helper()
	if no := o.ask(what, body, answer, header...); no != nil {
		o.t.Fatalf("%s %.100s: %+v", what, body, no)
	}
}

func TestWhatIsWrongWithAQuestionIsSaid(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.must(ctl.Apply, kindOfBots+bot("a", "m1"), &ctl.Written{})
	elsewhere := event.NewToken("elsewhere", "x", 1).String()
	for _, tc := range []struct {
		what, body string
		code       int
		field      string
		header     []string
	}{
		{ctl.Apply, "a: b\na: c", 400, "a", nil},
		{ctl.Apply, bot("b", "[]"), 422, "spec.model", nil},
		{ctl.Apply, "apiVersion: example.dev/v1\nkind: Chatbot\nmetadata: {namespace: acme, name: a, resourceVersion: '999'}\nspec: {model: m2}", 409, "metadata.resourceVersion", nil},
		{ctl.Apply, bot("b", "m1"), 422, "Lethe-Reason", []string{ctl.ReasonHeader, strings.Repeat("x", maxReason+1)}},
		{ctl.Diff, "a: b\na: c", 400, "a", nil},
		{ctl.Diff, bot("b", "[]"), 422, "spec.model", nil},
		{ctl.Get, "", 400, "", nil},
		{ctl.Get, "{}{}", 400, "", nil},
		{ctl.Get, `{"kind": "bot", "names": "a"}`, 400, "", nil},
		{ctl.Get, `{"kind": "bot", "name": "none"}`, 404, "name", nil},
		{ctl.Get, `{"kind": "nothing", "name": "a"}`, 404, "kind", nil},
		{ctl.Get, `{"kind": "bot", "namespace": "acme", "name": "a"}`, 400, "Lethe-Token", []string{ctl.TokenHeader, "nonsense"}},
		{ctl.Get, `{"kind": "bot", "namespace": "acme", "name": "a"}`, 400, "Lethe-Token", []string{ctl.TokenHeader, elsewhere}},
		{ctl.List, `{"kind": "nothing"}`, 404, "kind", nil},
		{ctl.List, `{"kind": "bot", "limit": 5001}`, 422, "limit", nil},
		{ctl.List, `{"kind": "bot", "selector": "a in ("}`, 422, "", nil},
		{ctl.List, `{"kind": "bot", "continue": "x"}`, 422, "", nil},
		{ctl.Delete, `{"kind": "bot", "name": "a"}`, 404, "name", nil}, // in another namespace
		{ctl.Kinds, `{"kind": "nothing"}`, 404, "kind", nil},
		{ctl.Kinds, `nonsense`, 400, "", nil},
		{ctl.Ticket, `{"ticket": "nonsense"}`, 422, "ticket", nil},
	} {
		no := o.ask(tc.what, tc.body, nil, tc.header...)
		if no == nil || no.Code != tc.code || no.Text == "" || tc.field != "" && no.Field != tc.field || no.Node != "one" || no.Retry {
			t.Errorf("%s %.80q: %+v, want %d of field %q", tc.what, tc.body, no, tc.code, tc.field)
		}
	}
	var page ctl.Page
	o.must(ctl.List, `{"kind": "bot"}`, &page)
	if len(page.Items) != 1 {
		t.Errorf("something was applied: %s", page.Items)
	}
}

func TestADryRunOverNATSDoesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var w ctl.Written
	o.must(ctl.Apply, kindOfBots, &w, ctl.DryRunHeader, "true")
	if len(w.Results) != 1 || w.Results[0].Action != "created" || !w.Token.IsZero() || w.Ticket != "" {
		t.Errorf("%+v", w)
	}
	var list ctl.KindList
	o.must(ctl.Kinds, "", &list)
	if len(list.Kinds) != 1 {
		t.Errorf("%+v", list)
	}
}

func TestAListFitsItsAnswerAndTheRestFollows(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var text strings.Builder
	text.WriteString(kindOfBots)
	for i := range 40 {
		text.WriteString(bot(fmt.Sprintf("b-%02d", i), strings.Repeat("m", 1+i*i)))
	}
	if _, err := o.Apply(within(t), []byte(text.String()), false); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ limit, most int }{{0, 4000}, {7, 4000}, {1, 1 << 20}, {0, 1 << 20}, {40, 1 << 20}, {39, 1 << 20}} {
		var seen []string
		for q := (ctl.Query{Kind: "bot", Limit: tc.limit}); ; {
			page, err := o.Query(within(t), q, tc.most)
			if err != nil {
				t.Fatalf("%+v: %v", tc, err)
			}
			size := 0
			for _, item := range page.Items {
				size += len(item)
				var h struct {
					Metadata struct{ Name string }
				}
				if err := json.Unmarshal(item, &h); err != nil {
					t.Fatal(err)
				}
				seen = append(seen, h.Metadata.Name)
			}
			if size > tc.most || tc.limit > 0 && len(page.Items) > tc.limit || len(page.Items) == 0 {
				t.Fatalf("%+v: %d objects of %d bytes", tc, len(page.Items), size)
			}
			if q.Continue = page.Continue; q.Continue == "" {
				break
			}
		}
		for i, name := range seen {
			if name != fmt.Sprintf("b-%02d", i) {
				t.Fatalf("%+v: %v", tc, seen)
			}
		}
		if len(seen) != 40 {
			t.Errorf("%+v: %d objects", tc, len(seen))
		}
	}
	var no *ctl.Refusal
	if _, err := o.Query(within(t), ctl.Query{Kind: "bot"}, 100); !errors.As(err, &no) || no.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("one that fits nowhere: %v", err)
	}
}

func TestNamesOfAKindAreForgottenWithTheKind(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	named := func(name, cache string, known bool) {
		t.Helper()
		got, err := o.Named(within(t), name)
		if string(got.Cache) != cache || (err == nil) != known || known && got.Value != "Chatbot" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	named("bot", "miss", false)
	named("BOT", "negative", false)
	var w ctl.Written
	o.must(ctl.Apply, kindOfBots, &w)
	named("bot", "miss", true)
	named("Chatbots", "miss", true)
	named("BOT", "hit", true)
	o.must(ctl.Apply, strings.Replace(kindOfBots, "[bot]", "[robot]", 1), &w)
	named("bot", "miss", false)
	named("Robot", "miss", true)
}

// What a body says twice, or in another case, must not replace what guards the change.
func TestBodyIsReadByTheLetter(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.must(ctl.Apply, kindOfBots+bot("a", "m1"), &ctl.Written{})
	const name = `"kind":"chatbot","namespace":"acme","name":"a"`
	for _, tc := range []struct{ what, body, field string }{
		{ctl.SetStatus, `{` + name + `,"resourceVersion":"999","RESOURCEVERSION":"","status":{"x":1}}`, "RESOURCEVERSION"},
		{ctl.SetStatus, `{` + name + `,"resourceVersion":"999","resourceVersion":"","status":{"x":1}}`, "resourceVersion"},
		{ctl.SetStatus, `{` + name + `,"uid":"999","Uid":"","status":{"x":1}}`, "Uid"},
		{ctl.SetStatus, `{` + name + `,"status":{"x":1,"x":2}}`, "status.x"},
		{ctl.Delete, `{` + name + `,"Name":"a"}`, "Name"},
		{ctl.Delete, `{` + name + `,"name":"a"}`, "name"},
		{ctl.Invalidate, `{` + name + `,"name":""}`, "name"},
		{ctl.Get, `{` + name + `,"NAMESPACE":"acme"}`, "NAMESPACE"},
		{ctl.List, `{"kind":"chatbot","limit":1,"Limit":2}`, "Limit"},
		{ctl.Kinds, `{"kind":"chatbot","KIND":"kind"}`, "KIND"},
		{ctl.Log, `{` + name + `,"since":"2026-11-22T10:00:00Z","Since":"2026-11-22T11:00:00Z"}`, "Since"},
		{ctl.Ticket, `{"ticket":"a","Ticket":"b"}`, "Ticket"},
		{ctl.Apply, `{"apiVersion":"example.dev/v1","kind":"Chatbot","KIND":"Kind","metadata":{"name":"a"},"spec":{"model":"m2"}}`, "KIND"},
		{ctl.Apply, `{"apiVersion":"example.dev/v1","kind":"Chatbot","metadata":{"name":"a"},"spec":{"model":"m2","model":"m3"}}`, "spec.model"},
	} {
		if no := o.ask(tc.what, tc.body, &json.RawMessage{}); no == nil || no.Code/100 != 4 || no.Field != tc.field || !strings.Contains(no.Text, tc.field) {
			t.Errorf("%s %s: %+v, want field %q", tc.what, tc.body, no, tc.field)
		}
	}
	var got struct{ Status json.RawMessage }
	o.must(ctl.Get, `{`+name+`}`, &got)
	if got.Status != nil {
		t.Errorf("the status was written: %s", got.Status)
	}
}

// Only apply has a dry run: asked for elsewhere, it must not be the opposite.
func TestDryRunOfWhatHasNoneChangesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.must(ctl.Apply, kindOfBots+bot("a", "m1"), &ctl.Written{})
	const name = `"kind":"chatbot","namespace":"acme","name":"a"`
	for what, body := range map[string]string{
		ctl.Delete: `{` + name + `}`, ctl.Invalidate: `{` + name + `}`, ctl.SetStatus: `{` + name + `,"status":{"x":1}}`, ctl.Diff: bot("a", "m2"),
	} {
		if no := o.ask(what, body, &json.RawMessage{}, ctl.DryRunHeader, "true"); no == nil || no.Code != http.StatusBadRequest || no.Field != ctl.DryRunHeader {
			t.Errorf("%s: %+v", what, no)
		}
	}
	o.must(ctl.Get, `{`+name+`}`, &json.RawMessage{})
}

func TestDryRunThatIsMisspeltChangesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.must(ctl.Apply, kindOfBots, &ctl.Written{})
	for _, said := range []string{"yes", "TRue", "true;x", "2"} {
		if no := o.ask(ctl.Apply, bot("a", "m1"), &ctl.Written{}, ctl.DryRunHeader, said); no == nil || no.Code != http.StatusBadRequest || no.Field != ctl.DryRunHeader {
			t.Errorf("%q: %+v", said, no)
		}
	}
	o.must(ctl.Apply, bot("a", "m1"), &ctl.Written{}, ctl.DryRunHeader, "TRUE")
	if no := o.ask(ctl.Get, `{"kind": "bot", "namespace": "acme", "name": "a"}`, &json.RawMessage{}); no == nil || no.Code != http.StatusNotFound {
		t.Errorf("it is there: %+v", no)
	}
}
