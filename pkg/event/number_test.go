package event_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
)

// exactly is the number a token says; nil where it is too far from 1 to be written out.
func exactly(token string) *big.Rat {
	if i := strings.IndexAny(token, "eE"); i >= 0 && len(strings.TrimLeft(token[i+1:], "+-0")) > 4 {
		return nil
	}
	r, ok := new(big.Rat).SetString(token)
	if !ok {
		return nil
	}
	return r
}

// checkNumber states what a number's token promises: as a Go value it is the key of exactly its own value, or refused; in an event
// also a double that is printed with more digits is its key, and anything else the whole function.
func checkNumber(t interface{ Fatalf(string, ...any) }, token string) {
	key, err := event.CanonicalKey(json.Number(token))
	said := exactly(token)
	if err == nil {
		if kept := exactly(key[1 : len(key)-1]); kept == nil || said != nil && said.Cmp(kept) != 0 {
			t.Fatalf("%s has the key %s, which is another number's", token, key)
		}
	} else if !errors.Is(err, event.ErrInvalid) {
		t.Fatalf("%s: %v", token, err)
	}
	r := event.Decode("shop", root+"fn.f", nil, []byte(`{"specversion":"1.0","type":"dev.lethe.invalidated.v1","source":"/x","id":"1","data":{"targets":[{"function":"f","args":[`+token+`]}]}}`))
	if len(r.Targets) != 1 {
		t.Fatalf("%s: %+v", token, r)
	}
	again, rawErr := event.CanonicalKey(json.RawMessage(token))
	switch got := r.Targets[0].Canonical(); {
	case (event.CheckNumber(token) == nil) != (r.Widened == "") || (rawErr == nil) != (r.Widened == "") || rawErr == nil && again != got:
		t.Fatalf("%s: %v as a number, %s, %v as JSON, and an event about it says %+v", token, event.CheckNumber(token), again, rawErr, r)
	case r.Widened != "" && (err == nil || r.Targets[0] != event.Function("f") || r.Widened != event.WidenedTarget):
		t.Fatalf("%s is the key %s, %v, and an event about it says %+v", token, key, err, r)
	case r.Widened == "" && err == nil && got != key:
		t.Fatalf("%s is the key %s, and in an event %s", token, key, got)
	case r.Widened == "" && err != nil:
		if f, _ := strconv.ParseFloat(token, 64); said != nil && f != 0 {
			near, _ := said.Float64()
			mantissa, _, _ := strings.Cut(strings.ToLower(token), "e")
			digits := len(strings.Trim(strings.Replace(strings.TrimLeft(mantissa, "-"), ".", "", 1), "0"))
			if printed := exactly(strconv.FormatFloat(near, 'e', digits-1, 64)); printed == nil || printed.Cmp(said) != 0 {
				t.Fatalf("%s is taken for %s, which is not printed so", token, got)
			}
		}
	}
}

func TestANumberIsTheKeyOfItsOwnValueOrNone(t *testing.T) {
	t.Parallel()
	token := rapid.OneOf(
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][-+]?[0-9]{1,3})?`),
		rapid.StringMatching(`-?[0-9]\.[0-9]{15,18}`),
		rapid.Map(rapid.Float64(), func(f float64) string { return strconv.FormatFloat(f, 'e', 17, 64) }),
		rapid.Map(rapid.Float64(), func(f float64) string { b, _ := json.Marshal(f); return string(b) }),
	)
	rapid.Check(t, func(t *rapid.T) { checkNumber(t, token.Draw(t, "token")) })
}

func FuzzNumber(f *testing.F) {
	for _, token := range []string{"0", "-0.0", "1.10", "1e-400", "1e400", "0.30000000000000004", "0.300000000000000041", "9007199254740993.0", "1E+22", "123e-99999999999999999999"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if len(token) > 4096 || !json.Valid([]byte(token)) || strings.Trim(token, "-+.eE0123456789") != "" {
			return
		}
		checkNumber(t, token)
	})
}

// Other languages print a double with 17 digits: in an event that is the double. In Go it is another decimal, and no key.
func TestADoublePrintedWithMoreDigitsIsItselfInAnEventOnly(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"0.10000000000000001", "1.00000000000000006e-01", "0.1000000000000000055511151231257827021181583404541015625"} {
		targets, _, err := event.ParseInvalidation([]byte(`{"targets":[{"function":"f","args":[` + token + `]}]}`))
		if err != nil || targets[0] != event.Key("f", 0.1) {
			t.Errorf("%s: %v, %v", token, targets, err)
		}
		if key, err := event.CanonicalKey(json.Number(token)); err == nil {
			t.Errorf("%s as a decimal shares %s", token, key)
		}
	}
}

func TestANumberThatIsNoKeySaysWhatToDo(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{
		"9007199254740993.25": "9007199254740994; write it so, or as text",
		"1e-400":              "it would become 0",
		"1e400":               "beyond a double",
		"0x1":                 "JSON has",
		"":                    "JSON ends",
		"1 2":                 "JSON has",
	} {
		if err := event.CheckNumber(token); !errors.Is(err, event.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", token, err, want)
		}
	}
}

// A key is as long as MaxKey allows, to the byte, by every way to one; a longer one in an event is the whole function.
func TestAKeyHasItsBound(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("k", event.MaxKey-len(`[""]`))
	for _, c := range []struct {
		arg any
		ok  bool
	}{{longest, true}, {longest + "k", false}, {strings.Repeat("\x01", len(longest)), false}, {[]string{longest}, false}, {sku(longest + "k"), false}} {
		_, err := event.CanonicalKey(c.arg)
		if (err == nil) != c.ok || err != nil && (!errors.Is(err, event.ErrInvalid) || !strings.Contains(err.Error(), "at most 32768")) {
			t.Errorf("CanonicalKey: %.300v", err)
		}
		text, _ := json.Marshal(c.arg) //nolint:errchkjson // one that fails is refused, which is what is tested
		event1 := []byte(`{"specversion":"1.0","type":"dev.lethe.invalidated.v1","source":"/x","id":"1","data":{"targets":[{"function":"f.long","args":[1]},{"function":"f.long","args":[` + string(text) + `]}]}}`)
		r := event.Decode("shop", root+"fn.f.long", nil, event1)
		if len(text) > event.MaxSize/2 { // the event is too large, whatever its key
			continue
		}
		if widened := r.Widened == event.WidenedTarget && len(r.Targets) == 1 && r.Targets[0] == event.Function("f.long"); widened == c.ok {
			t.Errorf("an event about it says %.300v (%s)", r.Targets, r.Detail)
		} else if widened && !strings.Contains(r.Detail, "a key of f.long has") {
			t.Errorf("the detail %q does not name function and reason", r.Detail)
		}
		if _, _, err := event.ParseInvalidation([]byte(`{"targets":[{"function":"f.long","args":[` + string(text) + `]}]}`)); (err == nil) != c.ok {
			t.Errorf("ParseInvalidation: %.300v", err)
		}
	}
	for name, target := range map[string]event.Target{
		"Key": event.Key("f.long", longest+"k"), "Name": event.Name[string]("f.long").Key(longest + "k"),
		"Name2": event.Name2[string, int]("f.long").Key(longest, 1), "Name3": event.Name3[string, int, bool]("f.long").Key(longest, 1, true),
		"FromCanonical": event.FromCanonical("f.long", `["`+longest+`k"]`), "Hashed": event.Key("f.long", longest+"k").Hashed(),
	} {
		if err := target.Err(); !errors.Is(err, event.ErrInvalid) || !strings.Contains(err.Error(), "f.long") || !strings.Contains(err.Error(), "32768") {
			t.Errorf("%s: %.300v", name, err)
		}
	}
	if err := event.Key("f", longest).Err(); err != nil {
		t.Errorf("the longest: %.300v", err)
	}
}
