package manifest_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestPagesOfAListTogetherAreAllThatIsSelectedInOneOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		var text strings.Builder
		var all, odd, b []string
		for i := range 120 {
			ns := []string{"a", "b", "b-c", "b.c"}[i%4] // in which order depends on the collation, were it not fixed
			name := fmt.Sprintf("bot-%d", i)
			label := []string{"even", "odd"}[i/4%2]
			fmt.Fprintf(&text, "---\napiVersion: example.dev/v1\nkind: Bot\nmetadata: {namespace: %s, name: %s, labels: {parity: %s}}\nspec: {account: a}\n", ns, name, label)
			all = append(all, ns+"\x00"+name)
			if label == "odd" {
				odd = append(odd, ns+"\x00"+name)
			}
			if ns == "b" {
				b = append(b, ns+"\x00"+name)
			}
		}
		must(p.store.Apply(t.Context(), []byte(text.String())))
		for _, tc := range []struct {
			o    manifest.ListOptions
			want []string
		}{
			{manifest.ListOptions{}, all},
			{manifest.ListOptions{Limit: 1}, all},
			{manifest.ListOptions{Limit: 7}, all},
			{manifest.ListOptions{Limit: 120}, all},
			{manifest.ListOptions{Limit: 60}, all},
			{manifest.ListOptions{Limit: 60, Selector: "parity=odd"}, odd},
			{manifest.ListOptions{Limit: 7, Selector: " parity in (odd, none) "}, odd},
			{manifest.ListOptions{Namespace: "b", Limit: 4}, b},
			{manifest.ListOptions{Namespace: "b"}, b},
			{manifest.ListOptions{Namespace: "c"}, nil},
			{manifest.ListOptions{Selector: "parity notin (odd,even)"}, nil},
		} {
			slices.Sort(tc.want)
			var got []string
			pages := 0
			for o := tc.o; ; pages++ {
				ms, next, err := p.bots.List(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range ms {
					got = append(got, m.Metadata.Namespace+"\x00"+m.Metadata.Name)
				}
				if o.Limit > 0 && len(ms) > o.Limit || next != "" && len(ms) != o.Limit {
					t.Fatalf("%+v: a page of %d", o, len(ms))
				}
				if o.Continue = next; next == "" {
					break
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%+v: %d of %d: %q", tc.o, len(got), len(tc.want), got)
			}
			if limit := tc.o.Limit; limit > 0 && pages != max(0, (len(tc.want)-1)/limit) {
				t.Errorf("%+v: %d pages for %d objects", tc.o, pages+1, len(tc.want))
			}
		}
	})
}

func TestAListThatCannotBeMadeIsRefusedByField(t *testing.T) {
	t.Parallel()
	p := places(t, engines()[0], 1)[0]
	for name, tc := range map[string]struct {
		o    manifest.ListOptions
		want string
	}{
		"limit":               {manifest.ListOptions{Limit: manifest.MaxLimit + 1}, "limit: is 5001"},
		"negative limit":      {manifest.ListOptions{Limit: -1}, "limit: is -1"},
		"namespace":           {manifest.ListOptions{Namespace: "*"}, "namespace"},
		"selector":            {manifest.ListOptions{Selector: "a in (x"}, "elector"},
		"continue":            {manifest.ListOptions{Continue: "!"}, "continue"},
		"foreign continue":    {manifest.ListOptions{Continue: "YS9iLypjCg"}, "continue"},
		"another namespace's": {manifest.ListOptions{Namespace: "b", Continue: "YS9ib3Q"}, "continue"},
	} {
		_, _, err := p.bots.List(t.Context(), tc.o)
		if !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := p.store.List(t.Context(), "nothing", manifest.ListOptions{}); !errors.Is(err, manifest.ErrNotFound) {
		t.Error(err)
	}
	for _, name := range []string{"", "*", "A", "a/b", strings.Repeat("x", 300)} {
		if _, err := p.bots.Get(t.Context(), "acme", name); !errors.Is(err, manifest.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := p.bots.Delete(t.Context(), "acme", name); !errors.Is(err, manifest.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAListOfLargeObjectsEndsBeforeItsLimit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lethe.db")
	p := openAt(t, "sqlite:"+file, lethetest.Fleet(t, 1)[0])
	must(p.bots.Apply(t.Context(), bot("bot-0", Bot{Account: "a", Model: strings.Repeat("x", 900<<10)})))
	const many = 60 // 54 MB
	db := must(sql.Open("sqlite", file+"?_pragma=busy_timeout(60000)"))
	defer func() { _ = db.Close() }()
	for i := 1; i < many; i++ { // as if they had been applied
		must(db.ExecContext(t.Context(), "INSERT INTO lethe_manifests SELECT family, namespace, $1, kind, api_version, uid, generation, version, created, "+
			"labels, annotations, spec, status FROM lethe_manifests WHERE name = 'bot-0'", fmt.Sprintf("bot-%d", i)))
	}
	seen := 0
	pages := 0
	for o := (manifest.ListOptions{}); ; pages++ {
		ms, next, err := p.store.List(t.Context(), "bot", o)
		if err != nil {
			t.Fatal(err)
		}
		if len(ms) > 40 {
			t.Errorf("a page of %d", len(ms))
		}
		seen += len(ms)
		if o.Continue = next; next == "" {
			break
		}
	}
	if seen != many || pages != 1 {
		t.Errorf("%d objects in %d pages", seen, pages+1)
	}
}
