package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
)

type vectors struct {
	Keys []struct {
		Name, Canonical, ArgsHash string
		Args                      json.RawMessage
	}
	Refused []struct{ Name, Text string }
}

func golden(t testing.TB) (v vectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/canonical.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Keys) < 30 || len(v.Refused) < 30 {
		t.Fatalf("%d keys and %d refused ones are not all", len(v.Keys), len(v.Refused))
	}
	return v
}

func TestGoldenVectorsHoldByEveryWayToAKey(t *testing.T) {
	t.Parallel()
	for _, v := range golden(t).Keys {
		var raw []json.RawMessage
		if err := json.Unmarshal(v.Args, &raw); err != nil {
			t.Fatal(err)
		}
		args, decoded := make([]any, len(raw)), make([]any, len(raw))
		for i := range raw {
			args[i] = raw[i]
			d := json.NewDecoder(bytes.NewReader(raw[i]))
			d.UseNumber()
			if err := d.Decode(&decoded[i]); err != nil {
				t.Fatal(err)
			}
		}
		for how, args := range map[string][]any{"raw": args, "decoded": decoded} {
			if got, err := event.CanonicalKey(args...); err != nil || got != v.Canonical {
				t.Errorf("%s, %s: got %s, %v; want %s", v.Name, how, got, err, v.Canonical)
			}
		}
		targets, _, err := event.ParseInvalidation([]byte(`{"targets":[{"function":"f","args":` + string(v.Args) + `}]}`))
		if err != nil || string(targets[0].Args()) != v.Canonical {
			t.Errorf("%s, on the wire: got %v, %v; want %s", v.Name, targets, err, v.Canonical)
			continue
		}
		if got := targets[0].Hashed().ArgsHash(); got != v.ArgsHash || event.HashKey(v.Canonical) != v.ArgsHash {
			t.Errorf("%s: hash %s, want %s", v.Name, got, v.ArgsHash)
		}
		if again, err := event.CanonicalKey(json.RawMessage(v.Canonical)); err != nil || again != "["+v.Canonical+"]" {
			t.Errorf("%s: the canonical form of %s is %s, %v", v.Name, v.Canonical, again, err)
		}
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	t.Parallel()
	for _, v := range golden(t).Refused {
		targets, _, err := event.ParseInvalidation([]byte(`{"targets":[{"function":"f","args":` + v.Text + `}]}`))
		if !errors.Is(err, event.ErrInvalid) {
			t.Errorf("%s: %v, %v", v.Name, targets, err)
		}
	}
}

type (
	sku   string
	count uint16
	day   struct{ t time.Time }
	loud  struct{ panics bool }
	node  struct{ Next *node }
)

func (d day) MarshalText() ([]byte, error) { return []byte(d.t.Format(time.DateOnly)), nil }

func (l loud) MarshalJSON() ([]byte, error) {
	if l.panics {
		panic("no form")
	}
	return json.Marshal("\xff")
}

func TestGoValuesAreKeyedAsTheirJSON(t *testing.T) {
	t.Parallel()
	type pair struct {
		B string `json:"b"`
		A int    `json:"a,omitempty"`
		C []byte
	}
	one := 1
	for want, args := range map[string][]any{
		`[]`:        nil,
		`["sku"]`:   {sku("sku")},
		`[7]`:       {count(7)},
		`[-5]`:      {int8(-5)},
		`[1,2,3,4]`: {int16(1), int32(2), int64(3), uint8(4)},
		`[9223372036854775807,18446744073709551615]`: {int64(math.MaxInt64), uint64(math.MaxUint64)},
		`[0.1,0.1,0,1e+21]`:                          {0.1, float32(0.1), math.Copysign(0, -1), 1e21},
		`[0.000001,1e-7,16777216,3.4028235e+38]`:     {float32(1e-6), float32(1e-7), float32(1 << 24), float32(math.MaxFloat32)},
		`[null,null,1]`:                              {nil, (*int)(nil), &one},
		`[true,false]`:                               {true, false},
		`["2026-11-01"]`:                             {day{time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}},
		`[123456789012345678901234567890]`:           {bigInt("123456789012345678901234567890")},
		`[{"C":"AQI=","b":"x"}]`:                     {pair{B: "x", C: []byte{1, 2}}},
		`[{"a":1,"b":[1,2]}]`:                        {map[string]any{"b": []int{1, 2}, "a": json.Number("1")}},
		`[{"1":"a","10":"b","2":"c"}]`:               {map[int]string{1: "a", 2: "c", 10: "b"}},
		"[\"\uFFFD<>&\u2028\"]":                      {"\uFFFD<>&\u2028"},
		"[[\"\uFFFD<>&\u2028\"]]":                    {[]string{"\uFFFD<>&\u2028"}},
		`[{"Next":{"Next":null}}]`:                   {node{Next: &node{}}},
	} {
		if got, err := event.CanonicalKey(args...); err != nil || got != want {
			t.Errorf("%v: got %s, %v; want %s", args, got, err, want)
		}
	}
}

func bigInt(s string) *big.Int {
	i, _ := new(big.Int).SetString(s, 10)
	return i
}

func TestWhatJSONCannotExpressIsRefused(t *testing.T) {
	t.Parallel()
	type tagged struct {
		Name string `json:",string"`
	}
	type inner struct{ Name string }
	type outer struct{ In []inner }
	cycle := &node{}
	cycle.Next = cycle
	deep := any(1)
	for range 300 {
		deep = []any{deep}
	}
	for name, arg := range map[string]any{
		"string":              "\xff",
		"named string":        sku("a\x80"),
		"nested":              outer{[]inner{{"ok"}, {"\xfe"}}},
		"pointer":             &inner{"\xfe"},
		"interface":           []any{"a", "\xff"},
		"map value":           map[string]string{"a": "\xff"},
		"map key":             map[string]int{"\xff": 1},
		"array":               [1]string{"\xff"},
		"quoted by its tag":   tagged{"\xff"},
		"MarshalJSON":         loud{},
		"MarshalText":         []day{{time.Time{}.In(time.FixedZone("x", 0))}, {}},
		"raw":                 json.RawMessage("\"\xff\""),
		"nested raw":          []json.RawMessage{json.RawMessage("\"\xff\"")},
		"raw that is nothing": json.RawMessage(""),
		"raw and more":        json.RawMessage("1 2"),
		"number":              json.Number("1e400"),
		"no number":           json.Number("one"),
		"NaN":                 math.NaN(),
		"infinity":            math.Inf(-1),
		"float32 NaN":         float32(math.NaN()),
		"nested NaN":          []float64{math.NaN()},
		"func":                func() {},
		"chan":                make(chan int),
		"complex":             1i,
		"cycle":               cycle,
		"deep":                deep,
		"panic":               loud{panics: true},
	} {
		if name == "MarshalText" {
			arg = text("\xff")
		}
		got, err := event.CanonicalKey("first", arg)
		var e *event.Error
		if !errors.Is(err, event.ErrInvalid) || !errors.As(err, &e) || !strings.HasPrefix(e.Field, "args[1]") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
		if target := event.Key("f", "first", arg); !errors.Is(target.Err(), event.ErrInvalid) || target.Scope() != "" {
			t.Errorf("%s: target %v", name, target)
		}
	}
}

type text string

func (t text) MarshalText() ([]byte, error) { return []byte(t), nil }

// TestTheFieldOfABadKeyIsNamed: a program with a large key has to find the string in it.
func TestTheFieldOfABadKeyIsNamed(t *testing.T) {
	t.Parallel()
	type inner struct{ Name string }
	type outer struct{ In []inner }
	_, err := event.CanonicalKey(outer{[]inner{{"ok"}, {"\xfe"}}})
	if err == nil || !strings.Contains(err.Error(), "args[0].In[1].Name") {
		t.Error(err)
	}
}

// TestDifferentValuesHaveDifferentKeys: for values that encoding/json tells apart, the canonical text does as well.
func TestDifferentValuesHaveDifferentKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawJSON(t, "a", 3), drawJSON(t, "b", 3)
		ka, err := event.CanonicalKey(a)
		if err != nil {
			t.Fatal(err)
		}
		kb, err := event.CanonicalKey(b)
		if err != nil {
			t.Fatal(err)
		}
		if (ka == kb) != reflect.DeepEqual(a, b) {
			t.Fatalf("%v and %v are %s and %s", a, b, ka, kb)
		}
		var back []any
		if err := json.Unmarshal([]byte(ka), &back); err != nil || !reflect.DeepEqual(back, []any{a}) {
			t.Fatalf("%s is %v, not %v (%v)", ka, back, a, err)
		}
	})
}

// drawJSON draws what encoding/json makes of some JSON.
func drawJSON(t *rapid.T, label string, depth int) any {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, label) {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, label)
	case 2:
		f := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Int32(), func(i int32) float64 { return float64(i) })).Draw(t, label)
		return f + 0 // no negative zero
	case 3:
		return drawText(t, label)
	case 4:
		list := make([]any, rapid.IntRange(0, 3).Draw(t, label))
		for i := range list {
			list[i] = drawJSON(t, label, depth-1)
		}
		return list
	}
	object := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(t, label) {
		object[drawText(t, label)] = drawJSON(t, label, depth-1)
	}
	return object
}

func drawText(t *rapid.T, label string) string {
	return rapid.OneOf(rapid.StringN(0, 6, 40), rapid.StringOf(rapid.RuneFrom([]rune("ab\"\\/\x00\x1f\n\uFFFD\uFFFF\uD7FF\uE000\U00010000\U0010FFFF<&\u2028"))),
		rapid.SampledFrom([]string{"", "a", "b", "1"})).Draw(t, label)
}

func TestKeysOfCommonArgumentsCostOneAllocation(t *testing.T) {
	const two event.Name2[string, int] = "catalog.page"
	if n := testing.AllocsPerRun(100, func() { _ = price.Key("sku-42") }); n > 1 {
		t.Errorf("a key of a string costs %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { _ = two.Key("sku-42", 7) }); n > 1 {
		t.Errorf("a key of a string and an int costs %v allocations", n)
	}
}

func TestTypedAndUntypedKeysAreTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawText(t, "a"), rapid.Int64().Draw(t, "b"), rapid.Bool().Draw(t, "c")
		for _, pair := range [][2]event.Target{
			{event.Name[string]("f.g").Key(a), event.Key("f.g", a)},
			{event.Name[sku]("f.g").Key(sku(a)), event.Key("f.g", a)},
			{event.Name2[string, int64]("f.g").Key(a, b), event.Key("f.g", a, b)},
			{event.Name3[string, int64, bool]("f.g").Key(a, b, c), event.Key("f.g", a, b, c)},
			{event.Name3[int64, int, bool]("f.g").All(), event.Function("f.g")},
		} {
			if pair[0] != pair[1] || pair[0].Err() != nil {
				t.Fatalf("%v is not %v", pair[0], pair[1])
			}
		}
	})
}

func FuzzCanonicalKey(f *testing.F) {
	for _, v := range golden(f).Keys {
		f.Add([]byte(v.Args))
	}
	for _, v := range golden(f).Refused {
		f.Add([]byte(v.Text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := event.CanonicalKey(json.RawMessage(data))
		if err != nil {
			if !errors.Is(err, event.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if again, err := event.CanonicalKey(json.RawMessage(key[1 : len(key)-1])); err != nil || again != key {
			t.Fatalf("%s is %s the second time (%v)", key, again, err)
		}
		var want, got any
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q is taken, and is no JSON: %v", data, err)
		}
		if err := json.Unmarshal([]byte(key[1:len(key)-1]), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %s (%v)", data, key, err)
		}
	})
}
