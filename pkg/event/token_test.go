package event_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
)

func TestATokenSurvivesItsText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := event.NewToken(
			rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?`).Draw(t, "fleet"),
			rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Draw(t, "epoch"),
			rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, math.MaxUint64})).Draw(t, "sequence"))
		got, err := event.ParseToken(want.String())
		if err != nil || got != want || got.IsZero() {
			t.Fatalf("%s is %v, not %v (%v)", want, got, want, err)
		}
		text, err := json.Marshal(map[string]event.Token{"token": want})
		if err != nil || string(text) != `{"token":"`+want.String()+`"}` {
			t.Fatalf("%s, %v", text, err)
		}
		var back map[string]event.Token
		if err := json.Unmarshal(text, &back); err != nil || back["token"] != want {
			t.Fatalf("%v, %v", back, err)
		}
	})
	tok := event.NewToken("shop", "E1", 7)
	if tok.String() != "lethe1.shop.E1.7" || tok.Fleet() != "shop" || tok.Epoch() != "E1" || tok.Sequence() != 7 {
		t.Errorf("token is %v", tok)
	}
}

func TestTheZeroTokenIsEmptyText(t *testing.T) {
	t.Parallel()
	got, err := event.ParseToken("")
	if err != nil || !got.IsZero() || got.String() != "" {
		t.Errorf("got %v, %v", got, err)
	}
	var tok event.Token
	if err := tok.UnmarshalText(nil); err != nil || !tok.IsZero() {
		t.Errorf("got %v, %v", tok, err)
	}
}

func TestATokenHasOneText(t *testing.T) {
	t.Parallel()
	before := event.NewToken("shop", "E1", 7)
	for _, text := range []string{
		"lethe1", "lethe1.", "lethe1.shop", "lethe1.shop.E1", "lethe1.shop.E1.", "lethe1.shop..7", "lethe1..E1.7", "lethe2.shop.E1.7", "LETHE1.shop.E1.7",
		"lethe1.shop.E1.+7", "lethe1.shop.E1.07", "lethe1.shop.E1.-1", "lethe1.shop.E1.18446744073709551616", "lethe1.shop.E1.7.8", "lethe1.shop.E1.7 ",
		" lethe1.shop.E1.7", "lethe1.Shop.E1.7", "lethe1.shop.E 1.7", "lethe1.shop.E1.0x7", "lethe1.shop.E1.1_0", "lethe1.shop.E\r\nX.7",
		"lethe1.shop." + strings.Repeat("E", 65) + ".7",
	} {
		tok := before
		if err := tok.UnmarshalText([]byte(text)); !errors.Is(err, event.ErrInvalid) || tok != before {
			t.Errorf("%q is %v, %v", text, tok, err)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add("lethe1.shop.E1.7")
	f.Add("lethe1.a..9")
	f.Fuzz(func(t *testing.T, text string) {
		tok, err := event.ParseToken(text)
		if err == nil && tok.String() != text {
			t.Fatalf("%q is written %q", text, tok)
		}
		if err != nil && !errors.Is(err, event.ErrInvalid) {
			t.Fatal(err)
		}
	})
}
