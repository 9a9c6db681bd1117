package lethe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// appending is a JSON codec whose Append is its own.
type appending func(dst, data []byte) []byte

func (a appending) Append(dst []byte, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return a(dst, data), nil
}

func (appending) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

func overwrite(dst, data []byte) []byte {
	clear(dst)
	return append(dst, data...)
}

func TestMemoizeRefusesACodecThatDoesNotAppend(t *testing.T) {
	t.Parallel()
	n := one(t)
	for name, a := range map[string]appending{
		"ignores":    func(_, data []byte) []byte { return data },
		"from.start": func(dst, data []byte) []byte { return append(dst[:0], data...) },
		"nothing":    func(_, _ []byte) []byte { return nil },
		"longer":     func(_, _ []byte) []byte { return []byte(`"` + strings.Repeat("x", 4<<10) + `"`) },
		"overwrites": overwrite,
		"with.room": func(dst, data []byte) []byte { // only where there is room behind dst
			if cap(dst)-len(dst) < len(data) {
				return append(dst, data...)
			}
			return data
		},
	} {
		for kind, register := range map[string]func(){
			"string": func() { lethe.Memoize(n, event.Name[int](name+".string"), load[int, string], lethe.WithCodec(a)) },
			"slice": func() {
				lethe.Memoize(n, event.Name[int](name+".slice"), load[int, []string], lethe.WithCodec(a), lethe.WithoutHot())
			},
			"map": func() { lethe.Memoize(n, event.Name[int](name+".map"), load[int, map[string]int], lethe.WithCodec(a)) },
		} {
			func() {
				defer func() {
					if text := fmt.Sprint(recover()); !strings.Contains(text, "return append(dst, data...), nil") {
						t.Errorf("%s, %s: want a panic that says what to do, got %s", name, kind, text)
					}
				}()
				register()
			}()
		}
	}
}

func TestAValueThatACodecDoesNotAppendIsNotStored(t *testing.T) {
	t.Parallel()
	log := &journal{}
	n := opened(t, lethe.Config{Logger: log.logger()})
	bad := func(how func(dst, data []byte) []byte) appending { // keeps the contract for what Memoize tries
		return func(dst, data []byte) []byte {
			if string(data) == `""` || strings.Contains(string(data), "good") {
				return append(dst, data...)
			}
			return how(dst, data)
		}
	}
	for name, c := range map[string]appending{
		"shorter":    bad(func(_, data []byte) []byte { return data }),
		"longer":     bad(func(_, _ []byte) []byte { return []byte(strings.Repeat(`"`, 8<<10)) }),
		"nothing":    bad(func(_, _ []byte) []byte { return nil }),
		"overwrites": bad(overwrite),
	} {
		for _, options := range [][]lethe.Option{{lethe.WithCodec(c)}, {lethe.WithCodec(c), lethe.WithoutHot()}} {
			name := fmt.Sprintf("%s%d", name, len(options))
			f := lethe.Memoize(n, event.Name[string](name), func(_ context.Context, k string) (string, error) { return k, nil }, options...)
			for _, k := range []string{"bad", "good", "worse"} {
				for i := range 3 {
					r, err := f.Lookup(t.Context(), k)
					want := lethe.Miss
					if k == "good" && i > 0 {
						want = lethe.Hit
					}
					if r.Value != k || r.Cache != want || err != nil {
						t.Errorf("%s: read %d of %q: %q, %s, %v", name, i, k, r.Value, r.Cache, err)
					}
				}
			}
			said := func() int {
				return len(log.lines("could not be encoded", "function="+name+" ", "do not begin with dst"))
			}
			until(t, name+" is logged", func() bool { return said() > 0 })
			if got := said(); got != 1 {
				t.Errorf("%s: logged %d times, want once", name, got)
			}
		}
	}
}

// unreadable writes what it can read, but for two values: one it can't write, the other it can't read.
type unreadable struct{ lethe.Codec }

func (u unreadable) Append(dst []byte, v any) ([]byte, error) {
	if v == "unwritten" {
		return nil, errors.New("it is not written")
	}
	return u.Codec.Append(dst, v)
}

func (u unreadable) Decode(data []byte, v any) error {
	if strings.Contains(string(data), "unread") {
		return errors.New("it is not read")
	}
	return u.Codec.Decode(data, v)
}

func TestAValueThatIsNotReadIsLoggedAfterOneThatIsNotWritten(t *testing.T) {
	t.Parallel()
	log := &journal{}
	n := opened(t, lethe.Config{Logger: log.logger()})
	f := lethe.Memoize(n, "f", func(_ context.Context, k string) (string, error) { return k, nil },
		lethe.WithCodec(unreadable{lethe.JSON()}), lethe.WithoutHot())
	for range 3 {
		for _, k := range []string{"unwritten", "unread"} {
			if v, err := f.Get(t.Context(), k); v != k || err != nil {
				t.Fatalf("%q, %v", v, err)
			}
		}
	}
	for _, text := range []string{"could not be encoded", "could not be decoded"} {
		until(t, text, func() bool { return len(log.lines(text)) > 0 })
		if lines := log.lines(text); len(lines) != 1 {
			t.Errorf("%s: logged %q, want one line", text, lines)
		}
	}
}
