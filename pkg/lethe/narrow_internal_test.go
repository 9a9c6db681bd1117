package lethe

import (
	"encoding/json"
	"log/slog"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/pkg/event"
)

// tokensOf are ways to say a double in JSON.
func tokensOf(d float64) []string {
	tokens := []string{strconv.FormatFloat(d, 'g', -1, 64), strconv.FormatFloat(d, 'e', 16, 64), strconv.FormatFloat(d, 'f', -1, 64)}
	if math.Abs(d) >= 1 && d == math.Trunc(d) {
		whole, _ := new(big.Float).SetFloat64(d).Int(nil)
		tokens = append(tokens, whole.String())
	}
	return tokens
}

// Whatever number an event names, the key of the float32 that its reader asks for is forgotten, by itself or with the function.
func TestEveryNumberThatAFloat32IsMadeOfForgetsItsKey(t *testing.T) {
	t.Parallel()
	type nested struct {
		A string
		F [2]struct{ X float32 }
	}
	fns := map[string]*function{}
	for name, k := range map[string]any{"plain": float32(0), "nested": nested{}, "hashed": float32(0)} {
		fns[name] = &function{name: name, shape: []jsonKind{kindOf(reflect.TypeOf(k))}, label: depend.Function(name), hashed: name == "hashed"}
		fns[name].setForm([]reflect.Type{reflect.TypeOf(k)}, slog.New(slog.DiscardHandler))
	}
	n := forgetful(t)
	for _, f := range fns {
		n.functions.register(f)
	}
	float := rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{0.1, 1 << 24, 1e20, 1e21, 1e-6, 1e-7, math.MaxFloat32, math.SmallestNonzeroFloat32}))
	rapid.Check(t, func(t *rapid.T) {
		x := float.Draw(t, "x")
		var d float64
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			d = float64(x)
		case 1:
			d, _ = strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
		case 2: // just before the float32 changes, or just after
			d = (float64(x) + float64(math.Nextafter32(x, rapid.Float32().Draw(t, "towards")))) / 2
			d = math.Nextafter(d, rapid.Float64().Draw(t, "side"))
		default:
			d = rapid.Float64().Draw(t, "d")
		}
		if math.IsInf(float64(float32(d)), 0) || math.IsNaN(d) {
			d = float64(x)
		}
		tokens := tokensOf(d)
		exact := len(tokens)
		if math.Abs(d) > 1<<60 && len(tokens) == 4 { // a number next to it, which is no double
			tokens = append(tokens, tokens[3][:len(tokens[3])-1]+string('0'+(tokens[3][len(tokens[3])-1]-'0')^1))
		}
		for i, token := range tokens {
			raw := json.RawMessage(token)
			// A reader parses the token, or has the double and casts it.
			cast := float32(d)
			parsed, _ := strconv.ParseFloat(token, 32)
			for name, f := range fns {
				arg, want := any(raw), func(x float32) any { return x }
				if name == "nested" {
					arg = json.RawMessage(`{"A":"0.5","F":[{"X":0.25},{"X":` + token + `}]}`)
					want = func(x float32) any { return nested{"0.5", [2]struct{ X float32 }{{0.25}, {x}}} }
				}
				targets := []event.Target{event.Key(name, arg)}
				if targets[0].Err() != nil {
					continue
				}
				if f.hashed {
					targets = append(targets, targets[0].Hashed())
				}
				for _, target := range targets {
					b := labeller{n: n}
					got, ok, _ := b.label(target)
					for _, reader := range []float32{cast, float32(parsed)} {
						key, err := event.CanonicalKey(want(reader))
						if err != nil {
							t.Fatal(err)
						}
						if !ok || got != f.label && got != f.keyLabel(key) {
							t.Fatalf("%v forgets neither the function nor %s", target, key)
						}
					}
				}
				if l, _, shape := (&labeller{n: n}).label(targets[0]); d == float64(float32(d)) && i < exact && (shape || l == f.label) {
					t.Fatalf("%v is exactly a float32, and forgets the function", targets[0])
				}
			}
		}
	})
}

// Only functions with a float32 leave the short way for numbers.
func TestKeysWithoutFloat32AreTakenAsTheyAre(t *testing.T) {
	for _, k := range []any{0, 0.5, uint8(0), json.Number("0"), [2]float64{}, struct{ F float64 }{}} {
		if f := formOf([]reflect.Type{reflect.TypeOf(k)}); f.narrow || f.blurred {
			t.Errorf("%T: %+v", k, f)
		}
	}
	var f function
	f.shape, f.name = []jsonKind{numberKind}, "f"
	f.setForm([]reflect.Type{reflect.TypeFor[float64]()}, slog.New(slog.DiscardHandler))
	key := "[0.10000000149011612]"
	if got := testing.AllocsPerRun(100, func() { _, _ = f.takes(key) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
	if own, ok := f.takes(key); !ok || own != key {
		t.Errorf("%s, %v", own, ok)
	}
}
