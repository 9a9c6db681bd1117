package lethe

import (
	"errors"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

type (
	coInner struct {
		Name string `json:"-"`
		Tags []string
	}
	coKind uint8
	coTree struct {
		Name string
		Kids []coTree
		Up   *coTree
	}
	coLoop []coLoop
	coMap  map[string]coMap
	coRing struct{ next *coRing } // writes itself
	coAll  struct {
		coInner
		S        string `json:"s,omitempty"`
		B        bool   `msgpack:"bee"`
		I8       int8
		I64      int64
		U64      uint64
		F32      float32
		F64      float64
		Kind     coKind
		Kinds    []coKind
		Bytes    []byte
		Hash     [4]byte
		Pair     [2]coInner
		Strings  []string
		Inners   []coInner
		Pointer  *coInner
		Pointers []*coInner
		Counts   map[string]int
		Texts    map[string]string
		By       map[int]coInner
		ByPtr    map[coKind]*coInner
		At       time.Time
		AtPtr    *time.Time
		For      time.Duration
		ID       uuid.UUID
		Addr     netip.Addr
		Link     url.URL
		LinkPtr  *url.URL
		Big      big.Int
		BigPtr   *big.Int
		Opt      int  `msgpack:",omitempty"`
		OptPtr   *int `msgpack:",omitempty"`
	}
	coArray struct {
		_msgpack struct{} `msgpack:",as_array"` //nolint:unused // a tag for the struct
		A        int
		B        []string
	}
	coStamp struct {
		time.Time
		Tenant string
	}
	coOnly struct{ S string }
	coHalf struct{ S string }
)

func (*coRing) MarshalBinary() ([]byte, error) { return []byte("ring"), nil }
func (*coRing) UnmarshalBinary([]byte) error   { return nil }

func (coOnly) MarshalBinary() ([]byte, error) { return nil, nil }
func (coHalf) MarshalBinary() ([]byte, error) { return nil, nil }
func (*coHalf) UnmarshalText([]byte) error    { return nil }

var coSame = cmp.Options{
	cmp.AllowUnexported(coAll{}, coArray{}, url.Userinfo{}),
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
	cmp.Comparer(func(a, b big.Int) bool { return a.Cmp(&b) == 0 }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

// CoShared is exported, so that only its pointer speaks against embedding it.
type CoShared struct{ A int }

// roundTrip tells nil from empty.
func roundTrip[V any](t *testing.T, name string, v V) {
	t.Helper()
	c := msgpackFor(reflect.TypeFor[V]())
	if err := checkValue(reflect.TypeFor[V](), c); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	data, err := c.Append([]byte("before"), v)
	if err != nil || !strings.HasPrefix(string(data), "before") {
		t.Errorf("%s: %q, %v", name, data, err)
		return
	}
	var got V
	if err := c.Decode(data[len("before"):], &got); err != nil {
		t.Errorf("%s: %v", name, err)
	} else if d := cmp.Diff(v, got, coSame); d != "" {
		t.Errorf("%s: %s", name, d)
	}
}

func TestAValueComesBackAsItWas(t *testing.T) {
	t.Parallel()
	now, one := time.Now(), 1
	link, err := url.Parse("https://user:pw@example.com/a%20b?c=d#e")
	if err != nil {
		t.Fatal(err)
	}
	full := coAll{
		coInner: coInner{"in", []string{"a"}}, S: "\xff\x00ü", B: true, I8: -128, I64: math.MinInt64, U64: math.MaxUint64, F32: math.MaxFloat32, F64: 5e-324,
		Kind: 200, Kinds: []coKind{1, 255}, Bytes: []byte{0, 255}, Hash: [4]byte{1, 2, 3, 4}, Pair: [2]coInner{{Name: "x"}, {Tags: []string{}}},
		Strings: []string{"", "a"}, Inners: []coInner{{"a", nil}, {"b", []string{}}}, Pointer: &coInner{Name: "p"}, Pointers: []*coInner{nil, {Name: "q"}},
		Counts: map[string]int{"a": 1, "b": -2}, Texts: map[string]string{"": ""}, By: map[int]coInner{-1: {Name: "m"}}, ByPtr: map[coKind]*coInner{3: nil, 4: {Name: "n"}},
		At: now, AtPtr: &now, For: time.Hour, ID: uuid.UUID{1, 2, 3}, Addr: netip.MustParseAddr("fe80::1%eth0"), Link: *link, LinkPtr: link,
		Big: *big.NewInt(-7), BigPtr: new(big.Int).Lsh(big.NewInt(1), 200), Opt: 1, OptPtr: &one,
	}
	empty := coAll{
		Kinds: []coKind{}, Bytes: []byte{}, Strings: []string{}, Inners: []coInner{}, Pointer: &coInner{}, Pointers: []*coInner{},
		Counts: map[string]int{}, Texts: map[string]string{}, By: map[int]coInner{}, ByPtr: map[coKind]*coInner{}, OptPtr: new(int),
	}
	roundTrip(t, "full", full)
	roundTrip(t, "empty", empty)
	roundTrip(t, "zero", coAll{})
	roundTrip(t, "pointer", &full)
	roundTrip[*coAll](t, "nil pointer", nil)
	roundTrip(t, "slice", []coAll{full, empty, {}})
	roundTrip[[]string](t, "nil strings", nil)
	roundTrip(t, "no strings", []string{})
	roundTrip[[]byte](t, "nil bytes", nil)
	roundTrip(t, "no bytes", []byte{})
	roundTrip[map[string]bool](t, "nil map", nil)
	roundTrip(t, "map", map[string]bool{"a": true, "b": false})
	roundTrip(t, "array", [2]coInner{{Name: "a"}})
	roundTrip(t, "as array", coArray{A: 1, B: []string{"x"}})
	roundTrip(t, "tree", coTree{Name: "a", Kids: []coTree{{Name: "b", Kids: []coTree{}}}, Up: &coTree{Name: "c"}})
	roundTrip(t, "map tree", coMap{"a": {"b": nil, "c": {}}})
	roundTrip(t, "string", "text")
	roundTrip(t, "empty string", "")
	roundTrip(t, "int", -1)
	roundTrip(t, "float", math.Inf(1))
	roundTrip(t, "bool", true)
	roundTrip(t, "time", now)
	roundTrip(t, "zero time", time.Time{})
	roundTrip(t, "time before 1970", time.Date(1, 2, 3, 4, 5, 6, 7, time.UTC))
	roundTrip(t, "link", *link)
	roundTrip(t, "struct{}", struct{}{})
	roundTrip(t, "many", map[string][]map[int]string{"a": {{1: "x"}, nil, {}}, "b": nil})
}

func TestAValueTheCodecWouldLoseAPartOfIsRefusedByField(t *testing.T) {
	t.Parallel()
	type secret struct{ secret string }
	type left struct{ A int }
	type right struct{ A int }
	for field, v := range map[string]any{
		"secret.secret is unexported": secret{},
		".In[].secret is unexported":  struct{ In []secret }{},
		".M[].secret is unexported":   struct{ M map[string]secret }{},
		".P.secret is unexported":     struct{ P *secret }{},
		`.A is left out by its tag`: struct {
			A int `msgpack:"-"`
		}{},
		".B and ": struct {
			A int `msgpack:"x"`
			B int `msgpack:"x"`
		}{},
		".right.A and ": struct {
			left
			right
		}{},
		".A and ": struct {
			left
			A int
		}{},
		".left.A and ": struct {
			A int
			left
		}{},
		".F is a func":                     struct{ F func() }{},
		".C is a chan":                     struct{ C chan int }{},
		"complex128 is a":                  1i,
		".U is a uintptr":                  struct{ U uintptr }{},
		".V is an interface":               struct{ V any }{},
		".E is an interface":               struct{ E error }{},
		"map[string]interface {}[] is":     map[string]any{},
		"**int points to":                  (**int)(nil),
		".P points to a slice":             struct{ P *[]int }{},
		".left is unexported":              struct{ *left }{},
		".CoShared is an embedded pointer": struct{ *CoShared }{},
		"coStamp embeds time.Time":         coStamp{},
		"coOnly writes itself":             coOnly{},
		"coHalf writes itself":             coHalf{},
		".A: omitempty makes nil": struct {
			A []int `msgpack:",omitempty"`
		}{},
		".T: omitempty makes nil": struct {
			T time.Time `msgpack:",omitempty"`
		}{},
		"has MarshalBinary": map[string]url.URL{},
		".mu is unexported": struct{ mu sync.Mutex }{},
		"._msgpack: omitempty for all": struct {
			_msgpack struct{} `msgpack:",omitempty"`
			A        []int
		}{},
	} {
		err := checkValue(reflect.TypeOf(v), msgpackCodec{})
		if err == nil || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), "WithoutBulk") || !strings.Contains(err.Error(), "WithCodec") {
			t.Errorf("%T: %v does not name %q", v, err, field)
		}
	}
	if err := checkValue(reflect.TypeFor[any](), msgpackCodec{}); err == nil {
		t.Error("any is taken")
	}
	if err := checkValue(reflect.TypeFor[secret](), struct{ Codec }{}); err != nil {
		t.Errorf("another codec is judged: %v", err)
	}
}

// TestACycleIsAnErrorAndNotTheEnd: a full stack would end the process.
func TestACycleIsAnErrorAndNotTheEnd(t *testing.T) {
	t.Parallel()
	tree := &coTree{Name: "a"}
	tree.Up = tree
	loop := make(coLoop, 1)
	loop[0] = loop
	for _, v := range []any{tree, loop, *tree} {
		for _, c := range []msgpackCodec{{}, msgpackFor(reflect.TypeOf(v))} {
			if _, err := c.Append(nil, v); !errors.Is(err, errValueCycle) {
				t.Errorf("%T: %v", v, err)
			}
		}
	}
}

// TestATypeThatWritesItselfMayHoldItself: what it holds is not looked at.
func TestATypeThatWritesItselfMayHoldItself(t *testing.T) {
	t.Parallel()
	ring := &coRing{}
	ring.next = ring
	for _, c := range []msgpackCodec{{}, msgpackFor(reflect.TypeOf(ring))} {
		if data, err := c.Append(nil, ring); err != nil || !strings.Contains(string(data), "ring") {
			t.Errorf("%q, %v", data, err)
		}
	}
}

func TestWhatIsNoValueIsAnError(t *testing.T) {
	t.Parallel()
	c := msgpackFor(reflect.TypeFor[coInner]())
	data, err := c.Append(nil, coInner{"a", []string{"b"}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		var got coInner
		if err := c.Decode(data[:n], &got); err == nil {
			t.Errorf("%d of %d bytes are taken", n, len(data))
		}
	}
	if err := c.Decode(append(data, 0), new(coInner)); err == nil {
		t.Error("a byte more is taken")
	}
}

func TestTheCodecIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := msgpackFor(reflect.TypeFor[coInner]())
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			want := coInner{strings.Repeat("x", g), []string{"a"}}
			for range 200 {
				var got coInner
				data, err := c.Append(nil, want)
				if err == nil {
					err = c.Decode(data, &got)
				}
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%v, %v", got, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkCodec(b *testing.B) {
	type product struct {
		SKU, Name, Brand string
		Price            int64
	}
	c, v := msgpackFor(reflect.TypeFor[product]()), product{"sku-42", "Lamp", "acme", 1999}
	room := make([]byte, 0, 256)
	data, err := c.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.Append(room, v)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var got product
			_ = c.Decode(data, &got)
		}
	})
}
