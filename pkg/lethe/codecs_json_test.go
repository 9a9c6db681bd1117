package lethe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

type (
	jaID     struct{ ID string }
	jaOther  struct{ ID string }
	jaDeep   struct{ jaID }
	jaTagged struct {
		Number string `json:"ID"`
	}
	jaReader struct{ A int }
	jaByPtr  struct{ A int }
	jaFolded string
	jaPlace  struct{ X, Y int }
	jaHidden jaByPtr
)

func (r *jaReader) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &r.A) }

func (p *jaByPtr) MarshalJSON() ([]byte, error)  { return json.Marshal(p.A) }
func (p *jaByPtr) UnmarshalJSON(b []byte) error  { return json.Unmarshal(b, &p.A) }
func (h *jaHidden) MarshalText() ([]byte, error) { return fmt.Append(nil, h.A), nil }
func (h *jaHidden) UnmarshalText([]byte) error   { return nil }
func (f *jaFolded) UnmarshalText(b []byte) error {
	*f = jaFolded(strings.ToLower(string(b)))
	return nil
}
func (p jaPlace) MarshalText() ([]byte, error)  { return fmt.Append(nil, p.X), nil }
func (p *jaPlace) UnmarshalText(b []byte) error { _, err := fmt.Sscan(string(b), &p.X); return err }

func refusesJSON[V any](t *testing.T, n *lethe.Node, want string) {
	t.Helper()
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, want) {
			t.Errorf("%T: want a panic with %q, got %s", *new(V), want, text)
		}
	}()
	lethe.Memoize(n, event.Name[int]("refused"), load[int, V], lethe.WithCodec(lethe.JSON()))
}

func TestJSONRefusesATypeOfWhichItLosesAPart(t *testing.T) {
	t.Parallel()
	n := one(t)
	refusesJSON[struct {
		jaID
		jaOther
		N int
	}](t, n, `same JSON name "ID"`)
	refusesJSON[struct {
		jaID
		ID string
	}](t, n, `same JSON name "ID"`)
	refusesJSON[struct {
		jaDeep
		ID string
	}](t, n, `same JSON name "ID"`)
	refusesJSON[struct {
		jaID
		jaTagged
	}](t, n, `same JSON name "ID"`)
	refusesJSON[struct {
		time.Time
		Name string
	}](t, n, "embeds time.Time with its MarshalJSON")
	refusesJSON[struct {
		json.Marshaler
		Name string
	}](t, n, "embeds json.Marshaler with its MarshalJSON")
	refusesJSON[struct {
		time.Time
		json.RawMessage
	}](t, n, "embeds time.Time with its MarshalText")
	refusesJSON[struct {
		jaReader
		Name string
	}](t, n, "with its UnmarshalJSON")
	refusesJSON[struct {
		*jaID
		Name string
	}](t, n, "is unexported")
	refusesJSON[struct {
		jaHidden `json:"hidden"`
		jaPlace  `json:"place"`
	}](t, n, "which JSON does not ask it for")
	refusesJSON[jaReader](t, n, "can't read what it wrote")
	refusesJSON[map[string]jaByPtr](t, n, "use a map of pointers")
	refusesJSON[map[*string]int](t, n, "would come back as another key")
	refusesJSON[map[any]int](t, n, "is an interface")
	refusesJSON[map[float64]int](t, n, "can't be a key of JSON")
}

// comesBackOrLoads reads a value twice: the second is a hit, or a load.
func comesBackOrLoads[V any](t *testing.T, n *lethe.Node, name string, v V, same func(a, b V) bool, want lethe.Outcome) {
	t.Helper()
	f := lethe.Memoize(n, event.Name[int](name), func(context.Context, int) (V, error) { return v, nil }, lethe.WithCodec(lethe.JSON()), lethe.WithoutHot())
	must[V](t)(f.Get(t.Context(), 1))
	if r, err := f.Lookup(t.Context(), 1); err != nil || !same(r.Value, v) || r.Cache != want {
		t.Errorf("%s: %v, %s, %v, want %v, %s", name, r.Value, r.Cache, err, v, want)
	}
}

func TestJSONKeepsWhatEmbeddedFieldsAndKeysSayAndNoMore(t *testing.T) {
	t.Parallel()
	n := one(t)
	type good struct {
		jaDeep
		Name string
		At   map[jaPlace]int
	}
	comesBackOrLoads(t, n, "embedded", good{jaDeep{jaID{"a"}}, "b", map[jaPlace]int{{1, 0}: 2}}, func(a, b good) bool {
		return a.ID == b.ID && a.Name == b.Name && maps.Equal(a.At, b.At)
	}, lethe.Hit)
	comesBackOrLoads(t, n, "by.pointer", jaByPtr{3}, func(a, b jaByPtr) bool { return a == b }, lethe.Hit)
	comesBackOrLoads(t, n, "keys.collide", map[jaPlace]int{{1, 1}: 1, {1, 2}: 2}, maps.Equal, lethe.Miss)
	comesBackOrLoads(t, n, "keys.lose", map[jaPlace]int{{1, 1}: 1}, maps.Equal, lethe.Miss)
	comesBackOrLoads(t, n, "keys.change", map[jaFolded]int{"A": 1}, maps.Equal, lethe.Miss)
	comesBackOrLoads(t, n, "keys.stay", map[jaFolded]int{"a": 1}, maps.Equal, lethe.Hit)
}
