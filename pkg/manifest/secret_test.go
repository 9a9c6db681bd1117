package manifest_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// canary is in every secret of these tests, and nowhere else.
const canary = "canary"

// wholeJournal is every text in the table.
func wholeJournal(t *testing.T, raw *sql.DB) (all []string) {
	t.Helper()
	rows, err := raw.QueryContext(t.Context(), "SELECT name || ' ' || entry FROM lethe_manifest_journal ORDER BY number")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Wherever the mark stands in a schema, and whatever becomes of the field: written, changed, taken away, replaced by something of another
// form, refused.
func TestSecretsAreNeverInTheJournal(t *testing.T) {
	t.Parallel()
	secret := `{"type": "string", "pattern": "^canary", "x-secret": true}`
	forms := []struct {
		name, schema string
		good         []string // specs that are applied one after the other
		bad          []string // specs that are refused
	}{
		{
			"field", `{"password": ` + secret + `, "user": {"type": "string"}}`,
			[]string{`{"password": "canary1", "user": "ann"}`, `{"password": "canary2", "user": "bob"}`, `{"user": "bob"}`, `{"password": "canary3"}`},
			[]string{`{"password": ["canary"]}`, `{"password": "xcanary"}`, `{"password": "canary", "extra": "canary"}`, `{"password": {"canary": 1}}`, `{"password": "xcanary", "user": 7}`},
		},
		{
			"keys", `{"all": {"type": "object", "x-secret": true, "additionalProperties": {"type": "string"}}}`,
			[]string{`{"all": {"canary1": "a"}}`, `{"all": {"canary1": "b", "canary2": "c"}}`, `{"all": {}}`, `{}`},
			[]string{`{"all": {"canary": 1}}`, `{"all": {"canary": {"canary": 1}}}`, `{"all": "canary"}`},
		},
		{
			"parent", `{"login": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"user": {"type": "string"}, "password": ` + secret + `}}]}}`,
			[]string{`{"login": {"user": "ann", "password": "canary1"}}`, `{"login": "none"}`, `{"login": {"password": "canary2", "canary": 1}}`, `{}`},
			[]string{`{"login": {"password": "xcanary"}}`, `{"login": ["canary"]}`},
		},
		{
			"list", `{"tokens": {"type": "array", "items": ` + secret + `}, "hosts": {"type": "array", "items": {"type": "string"}}}`,
			[]string{`{"tokens": ["canary1"], "hosts": ["a"]}`, `{"tokens": ["canary2", "canary3"], "hosts": ["a", "b"]}`, `{"tokens": []}`, `{}`},
			[]string{`{"tokens": ["xcanary"]}`, `{"tokens": "canary"}`, `{"tokens": [["canary"]]}`},
		},
		{
			"objects", `{"users": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "key": ` + secret + `}}}}`,
			[]string{`{"users": [{"name": "ann", "key": "canary1"}]}`, `{"users": [{"name": "bob", "key": "canary1"}, {"name": "ann"}]}`, `{"users": [{"key": "canary4"}]}`, `{}`},
			[]string{`{"users": [{"key": "xcanary"}]}`, `{"users": [{"canary": "canary"}]}`},
		},
		{
			"reference", `{"password": {"$ref": "#/$defs/secret"}}, "$defs": {"secret": ` + secret + `}`,
			[]string{`{"password": "canary1"}`, `{"password": "canary2"}`, `{}`},
			[]string{`{"password": "xcanary"}`},
		},
		{
			"composed", `{"kind": {"type": "string"}, "value": {"type": "string"}}, "allOf": [{"if": {"properties": {"kind": {"const": "secret"}}}, ` +
				`"then": {"properties": {"value": ` + secret + `}}}]`,
			[]string{`{"kind": "secret", "value": "canary1"}`, `{"kind": "secret", "value": "canary2"}`, `{"kind": "plain"}`},
			[]string{`{"kind": "secret", "value": "xcanary"}`},
		},
		{
			"pattern", `{"open": {"type": "string"}}, "patternProperties": {"^secret": ` + secret + `}`,
			[]string{`{"secret_a": "canary1", "open": "x"}`, `{"secret_b": "canary1", "open": "y"}`, `{}`},
			[]string{`{"secret_a": "xcanary"}`},
		},
		{
			"rest", `{"env": {"type": "object", "properties": {"HOME": {"type": "string"}}, "additionalProperties": ` + secret + `}}`,
			[]string{`{"env": {"HOME": "/", "KEY": "canary1"}}`, `{"env": {"HOME": "/root", "KEY": "canary2"}}`, `{}`},
			[]string{`{"env": {"KEY": "xcanary"}}`, `{"env": {"KEY": ["canary"]}}`},
		},
		{
			"tuple", `{"pair": {"type": "array", "prefixItems": [{"type": "string"}, ` + secret + `]}}`,
			[]string{`{"pair": ["ann", "canary1"]}`, `{"pair": ["bob", "canary2"]}`, `{"pair": ["bob"]}`},
			[]string{`{"pair": ["ann", "xcanary"]}`},
		},
		{
			"names", `{"by_token": {"type": "object", "propertyNames": {"x-secret": true}, "additionalProperties": {"type": "string"}}}`,
			[]string{`{"by_token": {"canary1": "ann"}}`, `{"by_token": {"canary2": "ann"}}`, `{}`},
			[]string{`{"by_token": {"canary": 7}}`},
		},
		{
			"aliased", `{"by_token": {"type": "object", "propertyNames": {"$ref": "#/$defs/token"}}}, "$defs": {"token": {"x-secret": true}}`,
			[]string{`{"by_token": {"canary1": 1}}`, `{"by_token": {"canary2": 1}}`, `{}`},
			[]string{`{"by_token": "canary"}`},
		},
		{
			"endless", `{"password": ` + secret + `, "by_name": {"$ref": "#/$defs/names"}}, "$defs": {"names": {"type": "object", "propertyNames": {"$ref": "#/$defs/names2"}}, ` +
				`"names2": {"minLength": 1, "propertyNames": {"$ref": "#/$defs/names2"}}}`,
			[]string{`{"password": "canary1", "by_name": {"a": 1}}`, `{"password": "canary2", "by_name": {"b": 1}}`, `{}`},
			[]string{`{"password": "xcanary"}`},
		},
		{
			"unvalued", `{"a": {"type": "string", "x-secret": null}, "b": {"type": "string", "x-secret": "false"}}`,
			[]string{`{"a": "canary1", "b": "canary1"}`, `{"a": "canary2", "b": "canary2"}`, `{}`},
			[]string{`{"a": ["canary"]}`, `{"b": ["canary"]}`},
		},
		{
			"long", `{"blob": {"type": "string", "x-secret": "yes"}, "open": {"type": "object", "additionalProperties": true}}`,
			[]string{`{"blob": "` + strings.Repeat(canary, 1000) + `", "open": {"a": {"b": [1]}}}`, `{"blob": "canary", "open": {"a": {"b": [2]}}}`},
			[]string{`{"blob": 1, "open": "` + canary + `"}`},
		},
	}
	onFiles(t, func(t *testing.T, dsn string, raw *sql.DB) {
		p := openAt(t, dsn, lethetest.Fleet(t, 1)[0], manifest.WithJournal(0))
		ctx := t.Context()
		lines := 0
		for _, f := range forms {
			kind := "Vault" + f.name
			text := func(spec string) []byte {
				return []byte(fmt.Sprintf(`{"apiVersion": "example.dev/v1", "kind": %q, "metadata": {"namespace": "acme", "name": "one"}, "spec": %s}`, kind, spec))
			}
			described := func(more string) string {
				return fmt.Sprintf(`{"apiVersion": "lethe.dev/v1", "kind": "Kind", "metadata": {"name": %q}, "spec": {"apiVersion": "example.dev/v1", "names": {"kind": %q}, `+
					`"schema": {"type": "object", "properties": %s}%s}}`, strings.ToLower(kind), kind, f.schema, more)
			}
			must(p.store.Apply(ctx, []byte(described(fmt.Sprintf(`, "example": {"spec": %s}`, f.good[0])))))
			lines++
			for _, spec := range f.good {
				must(p.store.Apply(ctx, text(spec)))
				lines++
			}
			for _, spec := range f.bad {
				// By itself, and beside a manifest of its kind, which may mark something else.
				for _, with := range []string{"", "\n---\n" + described("")} {
					if _, err := p.store.Apply(ctx, []byte(string(text(spec))+with)); !errors.Is(err, manifest.ErrInvalid) {
						t.Errorf("%s: %s is applied: %v", f.name, spec, err)
					}
					lines++
					if with != "" {
						lines++
					}
				}
			}
			// The kind no longer marks anything, and no longer allows what is stored.
			if _, err := p.store.Apply(ctx, []byte(fmt.Sprintf(`{"apiVersion": "lethe.dev/v1", "kind": "Kind", "metadata": {"name": %q}, "spec": {"apiVersion": "example.dev/v1", `+
				`"names": {"kind": %q}, "schema": {"type": "object", "required": ["missing"], "additionalProperties": {"type": "string", "pattern": "^never"}}}}`+
				"\n---\n"+`{"apiVersion": "example.dev/v1", "kind": "Bot", "metadata": {"namespace": "acme", "name": "plain"}, "spec": {"account": "a"}}`,
				strings.ToLower(kind), kind))); err == nil {
				t.Errorf("%s: a kind is applied that refuses what is stored", f.name)
			}
			must(p.store.Delete(ctx, kind, "acme", "one"))
			lines += 3
		}
		all := wholeJournal(t, raw)
		if len(all) != lines {
			t.Errorf("%d lines, want %d", len(all), lines)
		}
		marked := 0
		for _, text := range all {
			if strings.Contains(text, canary) {
				t.Errorf("a secret: %s", text)
			}
			marked += strings.Count(text, `"secret":true`)
		}
		if marked < 3*len(forms) {
			t.Errorf("only %d fields are said to be secret", marked)
		}
		// What is not secret is there.
		whole := strings.Join(all, "\n")
		for _, want := range []string{
			`{"path":"spec.user","old":"ann","new":"bob"}`, `{"path":"spec.login.user","new":"ann"}`, `{"path":"spec.hosts[1]","new":"b"}`, `{"path":"spec.tokens[0]","secret":true}`,
			`{"path":"spec.users[0].name","old":"ann","new":"bob"}`, `{"path":"spec.env.HOME","old":"/","new":"/root"}`, `{"path":"spec.all","secret":true}`,
			`{"path":"spec.open","old":"x","new":"y"}`, `{"path":"spec.pair[0]","old":"ann","new":"bob"}`, `{"path":"spec.open.a.b[0]","old":1,"new":2}`,
			`"field":"spec.password"`, `"field":"spec.all"`, `"field":"spec.tokens[0]"`,
		} {
			if !strings.Contains(whole, want) {
				t.Errorf("missing: %s", want)
			}
		}
	})
}

// The items of a List are one document of the text: what is wrong with one is not told of another. What a mark of statuses hides, a kind
// that no longer marks them does not tell.
func TestSecretsAreNotToldOfNeighboursOrByStatuses(t *testing.T) {
	t.Parallel()
	onFiles(t, func(t *testing.T, dsn string, raw *sql.DB) {
		p := openAt(t, dsn, lethetest.Fleet(t, 1)[0], manifest.WithJournal(0))
		kind := func(name, schema, status string) string {
			return fmt.Sprintf(`{"apiVersion": "lethe.dev/v1", "kind": "Kind", "metadata": {"name": %q}, "spec": {"apiVersion": "example.dev/v1", "names": {"kind": %q}, `+
				`"schema": {"type": "object", "properties": {"a": %s}}, "statusSchema": {"type": "object", "properties": {"t": %s}}}}`, strings.ToLower(name), name, schema, status)
		}
		one := func(kind, name, spec string) string {
			return fmt.Sprintf(`{"apiVersion": "example.dev/v1", "kind": %q, "metadata": {"namespace": "acme", "name": %q}, "spec": %s}`, kind, name, spec)
		}
		const open, secret = `{"type": "string"}`, `{"type": "string", "pattern": "^x", "x-secret": true}`
		must(p.store.Apply(t.Context(), []byte(kind("Safe", secret, open)+"\n---\n"+kind("Shelf", open, secret))))
		for _, items := range []string{
			one("Safe", "bad", `{"a": "canary"}`) + "," + one("Shelf", "good", `{"a": "b"}`),
			one("Shelf", "good", `{"a": "b"}`) + "," + one("Safe", "bad", `{"a": "canary"}`),
		} {
			if _, err := p.store.Apply(t.Context(), []byte(`{"apiVersion": "v1", "kind": "List", "items": [`+items+`]}`)); !errors.Is(err, manifest.ErrInvalid) {
				t.Errorf("applied: %v", err)
			}
		}
		must(p.store.Apply(t.Context(), []byte(one("Shelf", "good", `{"a": "b"}`))))
		if _, err := p.store.SetStatus(t.Context(), "Shelf", "acme", "good", json.RawMessage(`{"t": "xcanary"}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.store.Apply(t.Context(), []byte(kind("Shelf", open, `{"type": "string", "pattern": "^y"}`))); err == nil {
			t.Error("a kind is applied that refuses what is stored")
		}
		all := wholeJournal(t, raw)
		whole := strings.Join(all, "\n")
		if strings.Contains(whole, canary) {
			t.Errorf("a secret:\n%s", whole)
		}
		if n := strings.Count(whole, "another manifest of the same text was refused"); n != 2 {
			t.Errorf("%d lines of the one that was right:\n%s", n, whole)
		}
	})
}

type vault struct {
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty" jsonschema_extras:"x-secret=true"`
}

// The code of a kind may quote what it likes.
func TestSecretsOfAGoKindAreNotInTheJournalWhateverItsCodeSays(t *testing.T) {
	t.Parallel()
	onFiles(t, func(t *testing.T, dsn string, raw *sql.DB) {
		p := openAt(t, dsn, lethetest.Fleet(t, 1)[0], manifest.WithJournal(0))
		vaults := must(manifest.Register(t.Context(), p.store, manifest.Kind[vault]{
			APIVersion: "example.dev/v1", Name: "Vault",
			Validate: func(m manifest.Manifest[vault]) error {
				if m.Spec.User == "" {
					return &manifest.Error{Field: "spec.user", Reason: "is missing for " + m.Spec.Password}
				}
				return nil
			},
		}))
		apply := func(v vault) error {
			_, err := vaults.Apply(t.Context(), manifest.Manifest[vault]{Metadata: manifest.Metadata{Namespace: "acme", Name: "one"}, Spec: v})
			return err
		}
		if err := errors.Join(apply(vault{"ann", "canary1"}), apply(vault{"bob", "canary2"})); err != nil {
			t.Fatal(err)
		}
		if err := apply(vault{"", "canary3"}); err == nil || !strings.Contains(err.Error(), canary) {
			t.Fatalf("%v", err)
		}
		must(vaults.Delete(t.Context(), "acme", "one"))
		wantLines(t, journalOf(t, p.store, "Vault", "one"),
			`apply created Vault/acme/one vtrue g1 by "" because "" apiVersion:>"example.dev/v1" spec.password:>(secret) spec.user:>"ann"`,
			`apply configured Vault/acme/one vtrue g2 by "" because "" spec.password:>(secret) spec.user:"ann">"bob"`,
			`apply refused Vault/acme/one vfalse g0 by "" because "" spec.user!it is not valid`,
			`delete deleted Vault/acme/one vtrue g2 by "" because "" apiVersion:"example.dev/v1"> spec.password:>(secret) spec.user:"bob">`)
		for _, text := range wholeJournal(t, raw) {
			if strings.Contains(text, canary) {
				t.Errorf("a secret: %s", text)
			}
		}
	})
}

func TestJournalOfALargeChangeIsBounded(t *testing.T) {
	t.Parallel()
	onFiles(t, func(t *testing.T, dsn string, raw *sql.DB) {
		p := openAt(t, dsn, lethetest.Fleet(t, 1)[0], manifest.WithJournal(0))
		many := make([]string, 100)
		for i := range many {
			many[i] = fmt.Sprintf("label-%d.example.dev", i)
		}
		m := bot("helper", Bot{Account: "<ü>", Model: strings.Repeat("a", 100_000)})
		m.Metadata.Labels, m.Metadata.Annotations = map[string]string{}, map[string]string{}
		for _, name := range many {
			m.Metadata.Annotations[name] = strings.Repeat("ä", 250)
		}
		must(p.bots.Apply(t.Context(), m))
		m.Metadata.Annotations = nil
		must(p.bots.Apply(t.Context(), m))
		m.Spec.Model = "short"
		must(p.bots.Apply(t.Context(), m))
		lines, _, err := p.store.Journal(t.Context(), "Bot", "acme", "helper", manifest.JournalOptions{})
		if err != nil || len(lines) != 3 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		for i, more := range []bool{false, true, true} {
			l := lines[i]
			if l.More != more || more && len(l.Fields) < 20 || len(l.Fields) > 64 {
				t.Errorf("%d: %d fields, more %t", i, len(l.Fields), l.More)
			}
		}
		if f := lines[0].Fields; len(f) != 1 || f[0].Path != "spec.model" || !f[0].Cut || string(f[0].New) != `"short"` || len(f[0].Old) > 300 {
			t.Errorf("%+v", f)
		}
		for _, text := range wholeJournal(t, raw) {
			if len(text) > 24<<10 {
				t.Errorf("a line has %d bytes", len(text))
			}
		}
	})
}
