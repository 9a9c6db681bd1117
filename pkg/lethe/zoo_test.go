package lethe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

type (
	zooName  string
	zooStamp struct{ time.Time }
	ZooPart  struct {
		At    time.Time
		Notes []string
	}
	zoo struct {
		ZooPart
		Name    zooName
		Raw     json.RawMessage
		Number  json.Number
		Bytes   []byte
		Ints    []int64
		Empty   map[string]int
		Parts   []ZooPart
		ByName  map[string]ZooPart
		ByCode  map[uint8]*time.Time
		Pointer *ZooPart
		Never   *time.Time
		Pair    [2]time.Time
		Took    time.Duration
		Stamp   zooStamp
		Address netip.Addr
		Huge    *big.Int
		Ratio   float64
		Small   float32
		Sure    *bool
	}
)

func drawTime(t *rapid.T) time.Time {
	at := time.Unix(rapid.Int64Range(-1<<33, 1<<34).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond"))
	switch rapid.IntRange(0, 7).Draw(t, "zone") {
	case 0:
		return time.Time{}
	case 1:
		return at.UTC()
	case 2:
		return at.In(time.FixedZone(rapid.SampledFrom([]string{"", "X", "UTC", "Local"}).Draw(t, "name"), rapid.IntRange(-50_000, 50_000).Filter(marshals).Draw(t, "offset")))
	case 3:
		l, err := time.LoadLocation(rapid.SampledFrom([]string{"Europe/Berlin", "America/New_York", "Asia/Kathmandu"}).Draw(t, "place"))
		if err != nil {
			t.Fatal(err)
		}
		return at.In(l)
	case 4:
		return time.Now() // with a monotonic reading
	case 5:
		return time.Now().UTC()
	case 6:
		p, err := time.Parse(time.RFC3339, rapid.SampledFrom([]string{"2026-03-02T02:30:00Z", "2026-03-02T02:30:00+05:30", "2026-03-02T02:30:00-05:00"}).Draw(t, "text"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	return at
}

func drawPart(t *rapid.T) ZooPart {
	return ZooPart{At: drawTime(t), Notes: rapid.SampledFrom([][]string{nil, {}, {""}, {"a", "b"}}).Draw(t, "notes")}
}

func drawZoo(t *rapid.T) zoo {
	z := zoo{
		ZooPart: drawPart(t), Name: zooName(rapid.String().Draw(t, "name")),
		Raw:    rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`{"b":1, "a":[]}`)}).Draw(t, "raw"),
		Number: rapid.SampledFrom([]json.Number{"1", "1.10", "1e400"}).Draw(t, "number"),
		Bytes:  rapid.SampledFrom([][]byte{nil, {}, {0, 255}}).Draw(t, "bytes"),
		Ints:   rapid.SampledFrom([][]int64{nil, {}, {math.MinInt64, math.MaxInt64}}).Draw(t, "ints"),
		Empty:  rapid.SampledFrom([]map[string]int{nil, {}, {"": 0, "a": -1}}).Draw(t, "map"),
		Pair:   [2]time.Time{drawTime(t), drawTime(t)}, Took: time.Duration(rapid.Int64().Draw(t, "took")), Stamp: zooStamp{drawTime(t)},
		Address: rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fe80::1%eth0")}).Draw(t, "address"),
		Ratio:   rapid.Float64().Draw(t, "ratio"), Small: rapid.Float32().Draw(t, "small"),
	}
	if rapid.Bool().Draw(t, "more") {
		for i := range rapid.IntRange(0, 3).Draw(t, "parts") {
			z.Parts = append(z.Parts, drawPart(t))
			if z.ByName == nil {
				z.ByName, z.ByCode = map[string]ZooPart{}, map[uint8]*time.Time{}
			}
			at := drawTime(t)
			z.ByName[string(rune('a'+i))], z.ByCode[uint8(i)] = drawPart(t), &at
		}
		p, sure := drawPart(t), true
		z.Pointer, z.Sure, z.Huge = &p, &sure, big.NewInt(rapid.Int64Range(1, math.MaxInt64).Draw(t, "huge"))
		z.ByCode2()
	}
	return z
}

// ByCode2 adds a nil where pointers are.
func (z *zoo) ByCode2() {
	if z.ByCode != nil {
		z.ByCode[200] = nil
	}
}

// What a hit returns is what the load returned, from both tiers: equal in every field, zones and monotonic readings with them, and in its JSON.
func TestAHitFromBothTiersIsWhatTheLoadReturned(t *testing.T) {
	n := one(t)
	var next zoo
	bulk := lethe.Memoize(n, "bulk", func(context.Context, int) (zoo, error) { return next, nil }, lethe.WithoutHot())
	both := lethe.Memoize(n, "both", func(context.Context, int) (*zoo, error) { z := next; return &z, nil })
	key := 0
	rapid.Check(t, func(t *rapid.T) {
		next = drawZoo(t)
		key++
		for range 2 {
			got, err := bulk.Get(context.Background(), key)
			checkSame(t, got, next, err)
			p, err := both.Get(context.Background(), key)
			checkSame(t, *p, next, err)
		}
		lethe.DropHot(n)
		r, err := both.Lookup(context.Background(), key)
		checkSame(t, *r.Value, next, err)
		if r.Tier != lethe.Bulk {
			t.Fatalf("the last came from %q: this run shows nothing", r.Tier)
		}
	})
}

func checkSame(t *rapid.T, got, want zoo, err error) {
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(got)  //nolint:errchkjson // compared
	b, _ := json.Marshal(want) //nolint:errchkjson // compared
	if !reflect.DeepEqual(got, want) || !bytes.Equal(a, b) {
		t.Fatalf("got\n%+v\n%s\nwant\n%+v\n%s", got, a, want, b)
	}
}

func TestANilResultIsNilWhateverTheCodec(t *testing.T) {
	t.Parallel()
	n := one(t)
	f := lethe.Memoize(n, "f", func(context.Context, int) (*int, error) { return nil, nil }, lethe.WithCodec(zeroOfNil{}), lethe.WithoutHot())
	for range 2 {
		if v, err := f.Get(t.Context(), 1); v != nil || err != nil {
			t.Errorf("%v, %v", v, err)
		}
	}
}

// zeroOfNil writes nil as a pointer to 0.
type zeroOfNil struct{}

func (zeroOfNil) Append(dst []byte, _ any) ([]byte, error) { return append(dst, '0'), nil }
func (zeroOfNil) Decode(data []byte, v any) error {
	p, _ := v.(**int)
	*p = new(int)
	return json.Unmarshal(data, *p)
}

// marshals leaves out the offsets of which Time.MarshalBinary makes an error: such a time is not kept in bulk at all.
func marshals(offset int) bool { return offset/60 != -1 }
