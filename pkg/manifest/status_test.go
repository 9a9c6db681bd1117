package manifest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// robotKind is a stored kind whose status is described by this schema; none where it is empty.
func robotKind(status string) []byte {
	text := `
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: robot}
spec:
  apiVersion: example.dev/v1
  names: {kind: Robot, shortNames: [bo]}
  schema: {type: object, required: [model], properties: {model: {type: string}, account: {type: string}}}
  stale: ["account:{spec.account}"]
`
	if status != "" {
		text += "  statusSchema: " + status + "\n"
	}
	return []byte(text)
}

func robot(model, more string) []byte {
	return []byte("apiVersion: example.dev/v1\nkind: Robot\nmetadata: {namespace: acme, name: helper" + more + "}\nspec: {model: " + model + ", account: a1}\n")
}

const phases = `{type: object, required: [phase], properties: {phase: {enum: [ready, down]}, restarts: {type: integer, minimum: 0, default: 0}}}`

func TestTheStatusOfAStoredKindIsReportedBesideApply(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		h := listen(t, p.node, p.store)
		must(p.store.Apply(t.Context(), robotKind(phases)))
		first := must(p.store.Apply(t.Context(), robot("m1", "")))[0]
		view := lethe.Memoize(p.node, event.Name[string]("view"), func(ctx context.Context, name string) (string, error) {
			o, err := p.store.Get(ctx, "bo", "acme", name)
			return string(o.Spec) + " " + string(o.Status), err
		}, lethe.WithTTL(time.Hour))
		_ = h.events(t)
		must(view.Get(t.Context(), "helper"))

		r, err := p.store.SetStatus(t.Context(), "bo", "acme", "helper", map[string]string{"phase": "ready"})
		token := token(t, p.store, r, err)
		const want = `{"phase":"ready","restarts":0}`
		was, is := first.Manifest, r.Manifest
		if r.Action != manifest.Configured || string(is.Status) != want || string(is.Spec) != string(was.Spec) || is.Metadata.Generation != 1 ||
			is.Metadata.UID != was.Metadata.UID || is.Metadata.ResourceVersion == was.Metadata.ResourceVersion {
			t.Errorf("%+v, was %+v", r, was)
		}
		objects, others := apart(h.events(t))
		if len(objects) != 1 || objects[0].Type != event.TypeManifestApplied || objects[0].Manifest.Generation != 1 || objects[0].Manifest.ResourceVersion != is.Metadata.ResourceVersion {
			t.Errorf("%+v", objects)
		}
		if got := targets(others); len(got) != 1 || got[0] != "tag/account:a1" {
			t.Errorf("besides: %q", got)
		}
		if got := must(view.Get(lethe.WithToken(t.Context(), token), "helper")); !strings.HasSuffix(got, want) {
			t.Errorf("a view of it is %s", got)
		}

		// Applied as it was read, with another status in it, nothing changes; applied with a change, the status stays.
		read := must(p.store.Get(t.Context(), "Robot", "acme", "helper"))
		read.Status = json.RawMessage(`{"phase":"forged"}`)
		if again := must(p.store.Apply(t.Context(), must(json.Marshal(read)))); again[0].Action != manifest.Unchanged || string(again[0].Manifest.Status) != want {
			t.Errorf("%+v", again)
		}
		if same := must(p.store.SetStatus(t.Context(), "Robot", "acme", "helper", json.RawMessage(`{"restarts": 0.0, "phase": "ready"}`))); same.Action != manifest.Unchanged {
			t.Errorf("%+v", same)
		}
		if said := h.events(t); len(said) != 0 {
			t.Errorf("of nothing: %+v", said)
		}
		if changed := must(p.store.Apply(t.Context(), robot("m2", "")))[0]; string(changed.Manifest.Status) != want || changed.Manifest.Metadata.Generation != 2 {
			t.Errorf("%+v", changed)
		}
		gone := must(p.store.SetStatus(t.Context(), "Robot", "acme", "helper", nil))
		if o := must(p.store.Get(t.Context(), "Robot", "acme", "helper")); gone.Action != manifest.Configured || o.Status != nil || !strings.Contains(string(o.Spec), "m2") {
			t.Errorf("%+v: %s", gone, o.Status)
		}
	})
}

func TestAStatusIsRefusedByField(t *testing.T) {
	t.Parallel()
	p := places(t, engines()[0], 1)[0]
	must(p.store.Apply(t.Context(), robotKind(phases)))
	o := must(p.store.Apply(t.Context(), robot("m1", "")))[0].Manifest
	set := func(name string, status any, opts ...manifest.StatusOption) error {
		_, err := p.store.SetStatus(t.Context(), "robots", "acme", name, status, opts...)
		return err
	}
	good := map[string]string{"phase": "ready"}
	for _, tc := range []struct {
		err   error
		want  error
		field string
	}{
		{set("helper", map[string]any{"phase": "up"}), manifest.ErrInvalid, "status.phase"},
		{set("helper", map[string]any{"phase": "ready", "pahse": 1}), manifest.ErrInvalid, "status.pahse"},
		{set("helper", map[string]any{"phase": "ready", "restarts": -1}), manifest.ErrInvalid, "status.restarts"},
		{set("helper", json.RawMessage(`{"phase": "ready", "restarts": 9007199254740993.25}`)), manifest.ErrInvalid, "status.restarts"},
		{set("helper", "ready"), manifest.ErrInvalid, "status"},
		{set("helper", func() {}), manifest.ErrInvalid, "status"},
		{set("helper", map[string]string{"phase": strings.Repeat("x", manifest.MaxStatus)}), manifest.ErrInvalid, "status"},
		{set("nobody", good), manifest.ErrNotFound, ""},
		{set("no body", good), manifest.ErrInvalid, "metadata.name"},
		{set("helper", good, manifest.IfVersion("1")), manifest.ErrConflict, "metadata.resourceVersion"},
		{set("helper", good, manifest.IfUID(event.NewID())), manifest.ErrConflict, "metadata.uid"},
	} {
		all := manifest.Problems(tc.err)
		if !errors.Is(tc.err, tc.want) || len(all) != 1 || all[0].Field != tc.field {
			t.Errorf("%v: want %v at %q", tc.err, tc.want, tc.field)
		}
	}
	if _, err := p.store.SetStatus(t.Context(), "Nothing", "acme", "helper", good); !errors.Is(err, manifest.ErrNotFound) {
		t.Error(err)
	}
	if _, err := p.store.SetStatus(t.Context(), "Kind", "", "robot", good); !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), "status") {
		t.Errorf("a kind has none: %v", err)
	}
	if now := must(p.store.Get(t.Context(), "Robot", "acme", "helper")); now.Status != nil || now.Metadata.ResourceVersion != o.Metadata.ResourceVersion {
		t.Errorf("%+v", now)
	}
	m := o.Metadata
	if err := set("helper", good, manifest.IfVersion(m.ResourceVersion), manifest.IfUID(m.UID)); err != nil {
		t.Error(err)
	}
}

func TestAKindDescribesWhatIsReported(t *testing.T) {
	t.Parallel()
	p := places(t, engines()[0], 1)[0]
	must(p.store.Apply(t.Context(), robotKind("")))
	must(p.store.Apply(t.Context(), robot("m1", "")))
	must(p.store.SetStatus(t.Context(), "Robot", "acme", "helper", map[string]any{"any": []int{1, 2}}))
	for status, field := range map[string]string{
		phases:            "spec",              // it would refuse what is reported
		"{type: string}":  "spec.statusSchema", // a status is an object
		"{type: objectt}": "spec.statusSchema", // and so is its schema
		`{type: object, properties: {at: {type: string, format: datetime}}}`:      "spec.statusSchema.properties.at.format",
		`{type: object, properties: {n: {type: integer, default: none}}}`:         "spec.statusSchema.properties.n.default",
		`{type: object, properties: {n: {$ref: "https://example.dev/n.schema"}}}`: "spec.statusSchema",
	} {
		_, err := p.store.Apply(t.Context(), robotKind(status))
		if all := manifest.Problems(err); !errors.Is(err, manifest.ErrInvalid) || len(all) == 0 || !strings.HasPrefix(all[0].Field, field) {
			t.Errorf("%s: %v, want %s", status, err, field)
		}
	}
	must(p.store.SetStatus(t.Context(), "Robot", "acme", "helper", map[string]any{"phase": "down"}))
	must(p.store.Apply(t.Context(), robotKind(phases)))
	if k := must(p.store.Kind(t.Context(), "robot")); !strings.Contains(string(k.StatusSchema), `"phase"`) || strings.Contains(string(k.Schema), `"phase"`) {
		t.Errorf("%+v", k)
	}
}

// A status that is reported while an apply is planned, and an object that is applied while a status is: both are there at the end.
func TestAStatusAndAnApplyAtOnceUndoNothingOfEachOther(t *testing.T) {
	t.Parallel()
	onShared(t, func(t *testing.T, us, others *between) {
		report := func(p *between, phase string) {
			must(p.store.SetStatus(t.Context(), "Step", "acme", "b", map[string]string{"phase": phase}))
		}
		apply := func(p *between, model string) {
			must(p.store.Apply(t.Context(), []byte(stepText("b", model, ""))))
		}
		apply(us, "m0")
		for i, tc := range []struct{ first, second func(*between) }{
			{func(p *between) { apply(p, "m1") }, func(p *between) { report(p, "p1") }},
			{func(p *between) { report(p, "p2") }, func(p *between) { apply(p, "m2") }},
		} {
			meanwhile := func() { tc.second(others) }
			us.run.Store(&meanwhile)
			tc.first(us)
			if us.run.Load() != nil {
				t.Fatal("nothing happened meanwhile")
			}
			n := fmt.Sprint(i + 1)
			if o := must(others.store.Get(t.Context(), "Step", "acme", "b")); !strings.Contains(string(o.Spec), "m"+n) || !strings.Contains(string(o.Status), "p"+n) {
				t.Errorf("%s: %s, %s", n, o.Spec, o.Status)
			}
		}
	})
}
