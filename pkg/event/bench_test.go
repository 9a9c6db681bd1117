package event_test

import (
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
)

const price event.Name[string] = "catalog.price"

func BenchmarkKeyOfString(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = price.Key("sku-42")
	}
}

func BenchmarkKeyOfStruct(b *testing.B) {
	type key struct {
		SKU    string `json:"sku"`
		Region int    `json:"region"`
	}
	const name event.Name[key] = "catalog.price"
	b.ReportAllocs()
	for b.Loop() {
		_ = name.Key(key{"sku-42", 7})
	}
}

func BenchmarkEncode(b *testing.B) {
	e := event.Event{Source: "/lethe/shop/n1", Targets: []event.Target{price.Key("sku-42")}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.Encode("shop", e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeOneTarget(b *testing.B)      { benchmarkDecode(b, 1) }
func BenchmarkDecodeHundredTargets(b *testing.B) { benchmarkDecode(b, 100) }

func benchmarkDecode(b *testing.B, n int) {
	e := event.Event{Source: "/lethe/shop/n1", Extensions: map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	for range n {
		e.Targets = append(e.Targets, price.Key("sku-42"))
	}
	m, err := event.Encode("shop", e)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := event.Decode("shop", m.Subject, m.Header, m.Data); len(r.Targets) != n {
			b.Fatal(r)
		}
	}
}
