package lethe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

type (
	// quietLevel writes no text for its zero.
	quietLevel int
	// quietBytes writes a nil slice of bytes for none.
	quietBytes struct{ b []byte }
	selfPage   struct {
		Next   *url.URL
		Level  *quietLevel
		Bytes  *quietBytes
		Levels []*quietLevel
		ByName map[string]*url.URL
		Pair   [2]*netip.Addr
		Peer   net.TCPAddr
		Net    *net.IPNet
		IPs    []net.IP
		Sum    *big.Int
		Ratio  big.Rat
	}
	// lower loses its case.
	lower struct{ s string }
	// alike does, too, but says that it is the same.
	alike struct{ s string }
)

func (l quietLevel) MarshalText() ([]byte, error) {
	if l == 0 {
		return nil, nil
	}
	return fmt.Append(nil, int(l)), nil
}

func (l *quietLevel) UnmarshalText(b []byte) error {
	_, err := fmt.Sscan(string(b), (*int)(l))
	return err
}

func (q quietBytes) MarshalBinary() ([]byte, error)  { return q.b, nil }
func (q *quietBytes) UnmarshalBinary(b []byte) error { q.b = b; return nil }
func (l lower) MarshalText() ([]byte, error)         { return []byte(strings.ToLower(l.s)), nil }
func (l *lower) UnmarshalText(b []byte) error        { l.s = string(b); return nil }
func (a alike) MarshalText() ([]byte, error)         { return []byte(strings.ToLower(a.s)), nil }
func (a *alike) UnmarshalText(b []byte) error        { a.s = string(b); return nil }
func (a alike) Equal(b alike) bool                   { return strings.EqualFold(a.s, b.s) }

// tellsBulk reads v twice from a function without a hot tier, and says whether the second read was a hit and equal.
func tellsBulk[V any](t *testing.T, n *lethe.Node, name string, v V, opts ...lethe.Option) (hit bool) {
	t.Helper()
	f := lethe.Memoize(n, event.Name[int](name), func(context.Context, int) (V, error) { return v, nil }, append(opts, lethe.WithoutHot())...)
	for range 2 {
		r, err := f.Lookup(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if hit = r.Cache == lethe.Hit; !reflect.DeepEqual(r.Value, v) {
			t.Errorf("%s: a %v is %#v, the load returned %#v", name, r.Cache, r.Value, v)
		}
	}
	return hit
}

func kept[V any](v V) func(*testing.T, *lethe.Node, string) {
	return func(t *testing.T, n *lethe.Node, name string) {
		t.Helper()
		if !tellsBulk(t, n, name, v) {
			t.Errorf("%s: %#v is not kept", name, v)
		}
	}
}

// What writes itself comes back from bulk as the load returned it: pointers to what writes nothing, addresses as long as they
// were, URLs in their parts, numbers that are 0.
func TestWhatWritesItselfComesBackFromBulkAsItWas(t *testing.T) {
	t.Parallel()
	n := one(t)
	user := url.UserPassword("u", "")
	for i, check := range []func(*testing.T, *lethe.Node, string){
		kept(&url.URL{}), kept(url.URL{Path: "a b"}), kept(url.URL{Scheme: "http", Host: "h", Path: "a b", User: user}), kept(&url.URL{Path: "a", User: url.User("x")}),
		kept([]url.URL{{Opaque: "x"}, {Host: "h", ForceQuery: true}, {OmitHost: true, Scheme: "file", Path: "/x"}}),
		kept(new(quietLevel)), kept(quietLevel(0)), kept([]quietLevel{0, 7}), kept(&quietBytes{}), kept(new(netip.Addr)), kept([]*netip.Prefix{nil, {}}),
		kept(net.IP{1, 2, 3, 4}), kept(net.IP{}), kept(net.IP(nil)), kept([]net.IP{nil, {}, {1, 2, 3, 4}, net.IPv6loopback}), kept(net.ParseIP("1.2.3.4")),
		kept(net.IPNet{IP: net.IP{10, 0, 0, 0}, Mask: net.CIDRMask(8, 32)}),
		kept(new(big.Int)), kept(big.NewInt(0)), kept(new(big.Int).Sub(big.NewInt(5), big.NewInt(5))), kept(big.NewInt(-7)), kept([]big.Int{{}}),
		kept(new(big.Rat)), kept(big.NewRat(0, 1)), kept(big.NewRat(7, 1)), kept(*big.NewRat(-1, 3)), kept(new(big.Rat).SetInt64(0)),
		kept(selfPage{}),
		kept(selfPage{
			&url.URL{}, new(quietLevel), &quietBytes{},
			[]*quietLevel{nil, new(quietLevel)},
			map[string]*url.URL{"": nil, "b": {}, "a": {Path: "x y"}},
			[2]*netip.Addr{nil, {}},
			net.TCPAddr{IP: net.IP{1, 2, 3, 4}},
			&net.IPNet{},
			[]net.IP{{}},
			new(big.Int),
			big.Rat{},
		}),
	} {
		check(t, n, fmt.Sprint("f", i))
	}
	if got := metric(t, n, "lethe_evictions_total", "tier", "bulk", "reason", "differs"); got != 0 {
		t.Errorf("%v were not kept", got)
	}
}

type (
	stamped struct{ At, Until time.Time }
	placed  struct{ Peer *net.IP }
	inlined struct {
		stamped
		placed
		Rows []struct{ stamped }
	}
)

// Exported fields of an embedded struct are the value's own, whatever the name of that struct.
func TestPartsOfEmbeddedStructsComeBackFromBulkAsTheyWere(t *testing.T) {
	t.Parallel()
	n := one(t)
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, zone)
	kept(inlined{stamped{at, at.UTC()}, placed{&net.IP{1, 2, 3, 4}}, []struct{ stamped }{{stamped{Until: at}}}})(t, n, "f")
	if got := metric(t, n, "lethe_evictions_total", "tier", "bulk", "reason", "differs"); got != 0 {
		t.Errorf("%v were not kept", got)
	}
}

// Every field of a URL is in its record.
func TestAURLHasNoFieldsThatItsRecordDoesNotKnow(t *testing.T) {
	t.Parallel()
	u := reflect.TypeFor[url.URL]()
	for i := range u.NumField() {
		f := u.Field(i)
		if k := f.Type.Kind(); k != reflect.String && k != reflect.Bool && f.Type != reflect.TypeFor[*url.Userinfo]() {
			t.Errorf("%s is a %s", f.Name, f.Type)
		}
	}
}

// What a type's own methods lose is not kept in bulk, and counted; the hot tier has it. A type that calls it equal has its way.
func TestWhatWouldComeBackDifferentIsNotKeptInBulk(t *testing.T) {
	t.Parallel()
	n := one(t)
	type box struct{ L map[string][]lower }
	v := box{map[string][]lower{"a": {{"ABC"}}}}
	if tellsBulk(t, n, "cold", v) {
		t.Error("it was kept in bulk")
	}
	if got := metric(t, n, "lethe_evictions_total", "tier", "bulk", "reason", "differs"); got != 2 {
		t.Errorf("counted %v", got)
	}
	f := lethe.Memoize(n, event.Name[int]("warm"), func(context.Context, int) (box, error) { return v, nil })
	for range 2 {
		if r, err := f.Lookup(t.Context(), 1); err != nil || !reflect.DeepEqual(r.Value, v) {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if r, _ := f.Lookup(t.Context(), 1); r.Tier != lethe.Hot {
		t.Errorf("from %q", r.Tier)
	}
	if !tellsBulk(t, n, "plain", box{map[string][]lower{"a": {{"abc"}}}}) {
		t.Error("a value that comes back equal is not kept")
	}
	g := lethe.Memoize(n, event.Name[int]("alike"), func(context.Context, int) (alike, error) { return alike{"ABC"}, nil }, lethe.WithoutHot())
	for range 2 {
		if r, err := g.Lookup(t.Context(), 1); err != nil || !strings.EqualFold(r.Value.s, "abc") {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if _, ok := g.Peek(t.Context(), 1); !ok {
		t.Error("what its type calls equal is not kept")
	}
}

// JSON makes null of a nil json.RawMessage and 0 of an empty json.Number: such values are not kept.
func TestWhatJSONReplacesIsNotKept(t *testing.T) {
	t.Parallel()
	n := one(t)
	type raw struct {
		R json.RawMessage
		N json.Number
	}
	for i, tc := range []struct {
		v    raw
		kept bool
	}{{raw{nil, "1"}, false}, {raw{json.RawMessage("null"), ""}, false}, {raw{json.RawMessage(`{"a":1}`), "1.50"}, true}, {raw{json.RawMessage("null"), "0"}, true}} {
		if got := tellsBulk(t, n, fmt.Sprint("f", i), tc.v, lethe.WithCodec(lethe.JSON())); got != tc.kept {
			t.Errorf("%s: kept %v", tc.v, got)
		}
	}
	spaced := raw{json.RawMessage(`{ "a": "<" }`), "1"}
	f := lethe.Memoize(n, event.Name[int]("spaced"), func(context.Context, int) (raw, error) { return spaced, nil }, lethe.WithCodec(lethe.JSON()), lethe.WithoutHot())
	if _, err := f.Get(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Peek(t.Context(), 1); !ok {
		t.Error("what is equal in its JSON is not kept")
	}
}

// Keys that are pointers would be other keys when they come back.
func TestMapsWithPointersInTheirKeysAreRefused(t *testing.T) {
	t.Parallel()
	n := one(t)
	for name, memoize := range map[string]func(){
		"pointer": func() {
			lethe.Memoize(n, event.Name[int]("a"), func(context.Context, int) (map[*int]int, error) { return nil, nil })
		},
		"struct": func() {
			lethe.Memoize(n, event.Name[int]("b"), func(context.Context, int) (struct{ M map[struct{ P [1]*int }]int }, error) {
				return struct{ M map[struct{ P [1]*int }]int }{}, nil
			})
		},
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, "another key") {
					t.Errorf("%s: %s", name, p)
				}
			}()
			memoize()
		}()
	}
}
