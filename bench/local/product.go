package local

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// ttl of everything that has one: longer than any run.
const ttl = time.Hour

// product is the value: ten fields, about 210 bytes encoded.
type product struct {
	SKU, Name, Brand, Currency string
	Price, Stock, Updated      int64
	Weight, Rating             float64
	Active                     bool
}

func newProduct(sku string) *product {
	return &product{
		SKU: sku, Name: "Teapot, blue, with a lid", Brand: "acme", Currency: "EUR",
		Price: 1995, Stock: 42, Updated: 1_700_000_000, Weight: 0.85, Rating: 4.5, Active: true,
	}
}

// loader counts its calls, so that a hit can be told from a load.
type loader struct{ calls atomic.Int64 }

func (l *loader) load(_ context.Context, sku string) (*product, error) {
	l.calls.Add(1)
	return newProduct(sku), nil
}

// keySize is that of every key, in bytes.
const keySize = 64

// keyOf is the i-th key of a family.
func keyOf(family string, i int) string {
	var room, digits [keySize]byte
	n := copy(room[:], family)
	d := strconv.AppendInt(digits[:0], int64(i), 10)
	for n < keySize-len(d) {
		room[n] = '0'
		n++
	}
	copy(room[n:], d)
	return string(room[:])
}

func keysOf(family string, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = keyOf(family, i)
	}
	return keys
}

func shuffle(keys []string) {
	rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
}

// codec is msgpack as its own functions do it: what encodes and decodes for everyone who has to.
type codec struct{}

func (codec) Append(dst []byte, v any) ([]byte, error) {
	b, err := msgpack.Marshal(v)
	return append(dst, b...), err
}

func (codec) Decode(data []byte, v any) error { return msgpack.Unmarshal(data, v) }

func decodeProduct(b []byte) (*product, error) {
	v := new(product)
	return v, codec{}.Decode(b, v)
}

func encodeProduct(v *product) ([]byte, error) { return codec{}.Append(nil, v) }

// wrong is the error of a cache that did not do what is measured.
func wrong(who, format string, args ...any) error {
	return fmt.Errorf("%s "+format, append([]any{strings.TrimSpace(who)}, args...)...)
}
