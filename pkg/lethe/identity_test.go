package lethe

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
)

type (
	idSKU   string
	idLoud  struct{ N int }
	idInner struct{ A, B string }
	idTime  struct{ time.Time }
	idStamp struct {
		time.Time
		Tenant string
	}
	idText  struct{ S string }
	idPlain struct {
		SKU    idSKU `json:"sku"`
		Region string
		Page   uint16 `json:"p"`
		Sure   bool
		In     idInner
	}
	idTagged struct {
		Z  int     `json:"a"`
		A  string  `json:"z"`
		Q  int     `json:"q,string"`
		F  float64 `json:"ü"`
		At [2]idText
	}
	idQuoted struct {
		N int    `json:"n,string"`
		S string `json:",string"`
	}
	idEmbeds struct {
		idInner
		C int
	}
)

func (l idLoud) MarshalJSON() ([]byte, error) { return json.Marshal([]int{l.N}) }
func (t idText) MarshalText() ([]byte, error) { return []byte(t.S), nil }

func TestAKeyWhoseJSONTellsItsValuesApartIsTaken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key  any
		text bool
	}{
		{"", false},
		{idSKU(""), false},
		{1, false},
		{uint8(1), false},
		{1.5, false},
		{true, false},
		{[2]string{}, false},
		{idPlain{}, false},
		{idEmbeds{}, false},
		{struct{}{}, false},
		{struct {
			_ int
			A int `json:"a-b"`
		}{}, false},
		{time.Time{}, true},
		{netip.Addr{}, true},
		{(*big.Int)(nil), true},
		{idLoud{}, true},
		{idTime{}, true},
		{idTagged{}, true},
		{[1]time.Time{}, true},
		{struct {
			At time.Time
			N  int
		}{}, true},
		{json.Number(""), true},
	} {
		if text, err := checkKey(reflect.TypeOf(c.key)); err != nil || text != c.text {
			t.Errorf("%T: text %t, %v", c.key, text, err)
		}
	}
}

func TestAKeyWhoseJSONLosesAPartIsRefusedByField(t *testing.T) {
	t.Parallel()
	type deep struct{ In struct{ secret int } }
	type clash struct {
		A int `json:"B"`
		B int
	}
	type left struct{ A int }
	type right struct{ A int }
	for field, key := range map[string]any{
		"deep.In.secret": deep{},
		".Tenant is left out": struct {
			Tenant string `json:"-"`
		}{},
		".A is omitted": struct {
			A int `json:",omitempty"`
		}{},
		".B is omitted": struct {
			B time.Time `json:"b,omitzero"`
		}{},
		"clash.B and lethe.clash.A": clash{},
		".right.A and": struct {
			left
			right
		}{},
		".A and ": struct {
			left
			A int
		}{},
		"*int is a pointer":        (*int)(nil),
		".P is a pointer":          struct{ P *int }{},
		".left is unexported":      struct{ *left }{},
		".V is an interface":       struct{ V any }{},
		".E is an interface":       struct{ E error }{},
		"[] is an interface":       [1]any{},
		"complex128 is a":          1i,
		"chan int is a":            make(chan int),
		"idStamp embeds time.Time": idStamp{},
		".K embeds time.Time":      struct{ K idStamp }{},
		".idSKU is unexported":     struct{ idSKU }{},
		".Addr.addr is unexported": struct {
			netip.Addr
			netip.Prefix
		}{},
		".B and ": struct {
			A int `json:"\x00"` // no name to encoding/json: A it is
			B int `json:"A"`
		}{},
	} {
		if _, err := checkKey(reflect.TypeOf(key)); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%T: %v does not name %q", key, err, field)
		}
	}
	if _, err := checkKey(reflect.TypeFor[any]()); err == nil {
		t.Error("any is taken")
	}
}

// agree checks both ways to a key, and that two values share one only when they mean the same.
func agree[K comparable](t *testing.T, draw *rapid.Generator[K]) {
	t.Helper()
	text, err := checkKey(reflect.TypeFor[K]())
	if err != nil {
		t.Fatal(err)
	}
	canonical := canonicalOf[K]()
	rapid.Check(t, func(t *rapid.T) {
		var keys [2]string
		values := [2]K{draw.Draw(t, "a"), draw.Draw(t, "b")}
		for i, k := range values {
			got, err := canonical([]byte("before"), k)
			want, wantErr := event.CanonicalKey(k)
			if (err == nil) != (wantErr == nil) || err != nil && !errors.Is(err, event.ErrInvalid) {
				t.Fatalf("%#v: %v, and %v by CanonicalKey", k, err, wantErr)
			}
			if err == nil && "["+strings.TrimPrefix(string(got), "before")+"]" != want {
				t.Fatalf("%#v is %s, and %s by CanonicalKey", k, got, want)
			}
			if target := event.Name[K]("f").Key(k); wantErr == nil && string(target.Args()) != want {
				t.Fatalf("%#v is %s, and %v as a target", k, want, target)
			}
			keys[i] = want
		}
		if keys[0] != "" && !text && (keys[0] == keys[1]) != (values[0] == values[1]) {
			t.Fatalf("%#v and %#v are %s and %s", values[0], values[1], keys[0], keys[1])
		}
	})
}

func TestCanonicalTextIsThatOfPackageEvent(t *testing.T) {
	t.Parallel()
	str := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a", "\"\\\x00<&>\u2028", "\uFFFD", "\xff", "a\xc3"}))
	small := rapid.SampledFrom([]string{"", "a", "b", "\xff"})
	agree(t, str)
	agree(t, rapid.Int())
	agree(t, rapid.Int8())
	agree(t, rapid.Uint64())
	agree(t, rapid.Bool())
	agree(t, rapid.Float32())
	agree(t, rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), 1e21, 1e-7})))
	agree(t, rapid.Map(str, func(s string) idSKU { return idSKU(s) }))
	agree(t, rapid.Map(str, func(s string) idText { return idText{s} }))
	agree(t, rapid.Map(rapid.Int(), func(n int) idLoud { return idLoud{n} }))
	agree(t, rapid.Map(small, func(s string) [2]string { return [2]string{s, "x"} }))
	agree(t, rapid.Map(rapid.Int64Range(-1e9, 1e9), func(n int64) time.Time { return time.Unix(n, n&0xffff) }))
	agree(t, rapid.Map(rapid.Int64(), func(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(n)) }))
	agree(t, rapid.Custom(func(t *rapid.T) idPlain {
		return idPlain{idSKU(small.Draw(t, "sku")), small.Draw(t, "region"), rapid.Uint16Range(0, 2).Draw(t, "p"), rapid.Bool().Draw(t, "sure"), idInner{small.Draw(t, "a"), "b"}}
	}))
	agree(t, rapid.Custom(func(t *rapid.T) idTagged {
		return idTagged{rapid.IntRange(0, 1).Draw(t, "z"), small.Draw(t, "a"), rapid.IntRange(0, 1).Draw(t, "q"), rapid.Float64().Draw(t, "f"), [2]idText{{small.Draw(t, "t")}}}
	}))
	agree(t, rapid.Custom(func(t *rapid.T) idQuoted {
		return idQuoted{rapid.IntRange(0, 1).Draw(t, "n"), rapid.SampledFrom([]string{"", "a", "\"b"}).Draw(t, "s")}
	}))
	agree(t, rapid.Custom(func(t *rapid.T) idEmbeds {
		return idEmbeds{idInner{small.Draw(t, "a"), small.Draw(t, "b")}, rapid.IntRange(0, 1).Draw(t, "c")}
	}))
}

func BenchmarkCanonicalOf(b *testing.B) {
	text, plain := canonicalOf[string](), canonicalOf[idPlain]()
	room := make([]byte, 0, 256)
	b.Run("string", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = text(room, "sku-42")
		}
	})
	b.Run("struct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = plain(room, idPlain{SKU: "sku-42", Region: "eu"})
		}
	})
}
