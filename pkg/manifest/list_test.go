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

// fill stores many copies of an object as if they had been applied; label is their labels, as JSON.
func fill(t *testing.T, file, of string, from, to int, label string) {
	t.Helper()
	db := must(sql.Open("sqlite", file+"?_pragma=busy_timeout(60000)"))
	defer func() { _ = db.Close() }()
	must(db.ExecContext(t.Context(), "WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) "+
		"INSERT INTO lethe_manifests SELECT family, namespace, printf('bot-%06d', i), kind, api_version, uid, generation, version, created, "+
		"$3, annotations, spec, status FROM lethe_manifests, n WHERE name = $4", from, to, label, of))
}

// A selector that has to look at much finds all there is, or says that it has not: by bytes that are read at a time, by bytes and by
// rows that are looked at in one call.
func TestASelectorSaysWhenThereIsMore(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bytes, many int // of the objects that are not selected, which come first
		empty       bool
	}{
		"over what is read at a time":    {900 << 10, 75, false},
		"over the bytes that are looked": {900 << 10, 150, true},
		"over the rows that are looked":  {1, 50_100, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "lethe.db")
			p := openAt(t, "sqlite:"+file, lethetest.Fleet(t, 1)[0])
			must(p.bots.Apply(t.Context(), bot("a", Bot{Account: "a", Model: strings.Repeat("x", tc.bytes)})))
			must(p.bots.Apply(t.Context(), bot("b", Bot{Account: "a"})))
			fill(t, file, "a", 1, tc.many, "")
			fill(t, file, "b", tc.many+1, tc.many+3, `{"team":"z"}`)
			o := manifest.ListOptions{Selector: "team=z"}
			found, pages := 0, 0
			for ; ; pages++ {
				ms, next, err := p.bots.List(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if pages == 0 && (next != "") != tc.empty {
					t.Errorf("the first page has %d objects and the next %q", len(ms), next)
				}
				found += len(ms)
				if o.Continue = next; next == "" {
					break
				}
			}
			if found != 3 || pages > 3 {
				t.Errorf("%d objects in %d pages", found, pages+1)
			}
			for _, limit := range []int{0, 2, 1000} {
				if ms, err := p.bots.ListAll(t.Context(), manifest.ListOptions{Selector: "team=z", Limit: limit}); len(ms) != 3 || err != nil {
					t.Errorf("by %d: %d objects, %v", limit, len(ms), err)
				}
			}
		})
	}
}

func TestAListOfAllIsWholeOrAnError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lethe.db")
	p := openAt(t, "sqlite:"+file, lethetest.Fleet(t, 1)[0])
	must(p.bots.Apply(t.Context(), bot("a", Bot{Account: "a"})))
	fill(t, file, "a", 1, 12_000, "")
	all, err := p.store.ListAll(t.Context(), "b", manifest.ListOptions{Namespace: "acme"})
	if len(all) != 12_001 || err != nil {
		t.Errorf("%d objects, %v", len(all), err)
	}
	fill(t, file, "a", 12_001, manifest.MaxListAll, "")
	if all, err := p.bots.ListAll(t.Context(), manifest.ListOptions{}); all != nil || !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), "page by page") {
		t.Errorf("%d objects, %v", len(all), err)
	}
	if _, err := p.bots.ListAll(t.Context(), manifest.ListOptions{Limit: manifest.MaxLimit + 1}); !errors.Is(err, manifest.ErrInvalid) {
		t.Error(err)
	}
}
