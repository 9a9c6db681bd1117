package depend

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func carries(tag string, l Label) bool { return slices.Contains(AppendTag(nil, tag), l) }

func TestATagIsCoveredByItsPrefixesAndByNothingElse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		tag          string
		covered, not []Label
	}{
		{
			"user:42",
			[]Label{Tag("user:42"), Prefix("user:"), Prefix("user:42/")},
			[]Label{Tag("user:4"), Tag("user:42/orders"), Prefix("user:4/"), Prefix("user:42/orders/"), Prefix("users:"), Tag("user:42/")},
		},
		{
			"user:42/orders",
			[]Label{Tag("user:42/orders"), Prefix("user:"), Prefix("user:42/"), Prefix("user:42/orders/")},
			[]Label{Tag("user:42"), Tag("user:"), Prefix("user:4/"), Prefix("user:42/o/")},
		},
		{
			"chatbot:acme/*",
			[]Label{Tag("chatbot:acme/*"), Prefix("chatbot:"), Prefix("chatbot:acme/")},
			[]Label{Tag("chatbot:acme/helper"), Tag("chatbot:*")},
		},
		{ // a prefix may end in any ':', so every one is a boundary
			"urn:isbn:96/1",
			[]Label{Prefix("urn:"), Prefix("urn:isbn:"), Prefix("urn:isbn:96/"), Prefix("urn:isbn:96/1/")},
			[]Label{Prefix("isbn:"), Prefix("urn:isbn/"), Tag("urn:isbn:96")},
		},
		{"dir:a//b/", []Label{Tag("dir:a//b/"), Prefix("dir:a/"), Prefix("dir:a//"), Prefix("dir:a//b/"), Prefix("dir:a//b//")}, []Label{Tag("dir:a//b"), Prefix("dir:a//b///")}},
	} {
		for _, l := range tc.covered {
			if !carries(tc.tag, l) {
				t.Errorf("%s: an invalidation that covers it passes by", tc.tag)
			}
		}
		for _, l := range tc.not {
			if carries(tc.tag, l) {
				t.Errorf("%s: an invalidation of something else hits it", tc.tag)
			}
		}
	}
}

// The rule told plainly: a prefix covers a tag that begins with it, and "t/" the tag "t".
func TestPrefixesCoverByTheRule(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.RuneFrom([]rune("ab:/é")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		tag := "f:" + text.Draw(t, "tag")
		prefix := "f:" + text.Draw(t, "prefix")
		if last := prefix[len(prefix)-1]; last != ':' && last != '/' {
			prefix += "/"
		}
		want := strings.HasPrefix(tag, prefix) || tag+"/" == prefix
		if got := carries(tag, Prefix(prefix)); got != want {
			t.Fatalf("prefix %q covers tag %q: %v, want %v", prefix, tag, got, want)
		}
		for _, l := range AppendTag(nil, tag) {
			if l.Any != Tag(tag).Any || l.Any != Prefix("f:").Any {
				t.Fatalf("tag %q: a label of another family's any label", tag)
			}
		}
	})
}

func TestClassesAreKeptApart(t *testing.T) {
	t.Parallel()
	seen := map[uint64]string{}
	put := func(what string, hash uint64) {
		if other, ok := seen[hash]; ok {
			t.Errorf("%s and %s share a hash", what, other)
		}
		seen[hash] = what
	}
	put("all", All().Hash)
	put("global any", GlobalAny())
	for _, n := range []string{"", "a", "a:", "a:/"} {
		put("function "+n, Function(n).Hash)
		put("any of function "+n, Function(n).Any)
		put("key of "+n, Key(n, "").Hash)
		put("key a of "+n, Key(n, "a").Hash)
		put("tag "+n, Tag(n).Hash)
		put("prefix "+n+":", Prefix(n+":").Hash)
		put("prefix "+n+"/", Prefix(n+"/").Hash)
	}
	put("any of family a", Tag("a:1").Any)
	if All().Any != GlobalAny() || Key("f", "1").Any != Function("f").Any || Tag("a:1").Any != Prefix("a:1/").Any {
		t.Error("labels of one function, of one family, and that of all must share their any label")
	}
}

func TestAKeyIsOfOneFunctionAndOneText(t *testing.T) {
	t.Parallel()
	keys := []Label{Key("f", `["1"]`), Key("f", `[1]`), Key("f", `["1","2"]`), Key("g", `["1"]`), Key("fg", `["1"]`), Key("f", `g["1"]`), Key(`["1"]`, "f")}
	for i, a := range keys {
		for j, b := range keys {
			if (a.Hash == b.Hash) != (i == j) {
				t.Errorf("keys %d and %d: same hash %v", i, j, a.Hash == b.Hash)
			}
		}
	}
}

// 65,536 keys in a row of each of two functions: every bit of a label has to be fit for an index, and the labels have to be apart.
func TestKeysSpreadOverEveryBit(t *testing.T) {
	t.Parallel()
	const keys = 1 << 16
	seen := make(map[uint64]bool, 2*keys)
	for _, shift := range []uint{0, 16, 32, 48, 60} {
		for _, f := range []Label{Function("f"), Function("g")} {
			var cells [16]int
			for i := range keys {
				h := f.Key("[" + strconv.Itoa(i) + "]").Hash
				seen[h] = true
				cells[h>>shift&15]++
			}
			for i, n := range cells {
				if n < keys/16*9/10 || n > keys/16*11/10 {
					t.Errorf("cell %d of the bits from %d on has %d of %d keys, want a sixteenth", i, shift, n, keys)
				}
			}
		}
	}
	if len(seen) != 2*keys {
		t.Errorf("%d hashes of %d keys", len(seen), 2*keys)
	}
}

func TestALabelAllocatesNothing(t *testing.T) {
	f, room := Function("catalog.price"), make([]Label, 0, 8)
	key, tag := strings.Repeat("k", 300), "user:"+strings.Repeat("t", 500)
	if got := testing.AllocsPerRun(100, func() {
		room = append(room[:0], All(), f.Key(key), Key("catalog.price", key), Tag(tag), Prefix(tag[:5]))
		room = AppendTag(room[:0], tag)
	}); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}
