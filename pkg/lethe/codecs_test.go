package lethe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

// naive is a protobuf codec as one would write it first.
type naive struct{}

func (naive) Append(dst []byte, v any) ([]byte, error) {
	return proto.MarshalOptions{}.MarshalAppend(dst, v.(proto.Message)) //nolint:forcetypeassert,errcheck // that is the point
}

func (naive) Decode(data []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}
	return proto.Unmarshal(data, m)
}

func TestACodecThatCannotCarryItsValuesIsFoundAtRegistration(t *testing.T) {
	t.Parallel()
	n := one(t)
	type hidden struct{ A, b int } //nolint:unused // it is lost
	for want, register := range map[string]func(){
		"Decode gets a pointer to a zero V, a **wrapperspb.StringValue (for a protobuf message see lethe.Proto)": func() { lethe.Memoize(n, "a", load[int, *wrapperspb.StringValue], lethe.WithCodec(naive{})) },
		"can't write a zero int":           func() { lethe.Memoize(n, "b", load[int, int], lethe.WithCodec(naive{})) },
		"int is no protobuf message":       func() { lethe.Memoize(n, "c", load[int, int], lethe.WithCodec(lethe.Proto())) },
		"hidden.b is unexported":           func() { lethe.Memoize(n, "d", load[int, hidden], lethe.WithCodec(lethe.JSON())) },
		"is an interface, whose type JSON": func() { lethe.Memoize(n, "e", load[int, map[string]any], lethe.WithCodec(lethe.JSON())) },
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, want) || strings.Contains(text, "goroutine") {
					t.Errorf("want %q, got %s", want, text)
				}
			}()
			register()
		}()
	}
}

func TestProtoAndJSONCarryWhatTheyTake(t *testing.T) {
	t.Parallel()
	n := one(t)
	message, err := structpb.NewStruct(map[string]any{"a": []any{1.5, "x", nil}, "b": true})
	if err != nil {
		t.Fatal(err)
	}
	f := lethe.Memoize(n, "proto", func(_ context.Context, k int) (*structpb.Struct, error) {
		if k == 0 {
			return nil, nil
		}
		return message, nil
	}, lethe.WithCodec(lethe.Proto()), lethe.WithoutHot())
	type item struct {
		Name  string   `json:"name"`
		Tags  []string `json:"tags"`
		Price *float64
	}
	want := item{Name: "\uFFFD", Tags: []string{}}
	g := lethe.Memoize(n, "json", func(_ context.Context, k int) (item, error) {
		if k == 1 {
			return item{Name: "\xff"}, nil
		}
		return want, nil
	}, lethe.WithCodec(lethe.JSON()), lethe.WithoutHot())
	for i := range 2 {
		if v := must[*structpb.Struct](t)(f.Get(t.Context(), 0)); v != nil {
			t.Errorf("read %d: nil came back as %v", i, v)
		}
		if v := must[*structpb.Struct](t)(f.Get(t.Context(), 1)); !proto.Equal(v, message) {
			t.Errorf("read %d: %v, want %v", i, v, message)
		}
		v, err := g.Get(t.Context(), 0)
		a, _ := json.Marshal(v)                                           //nolint:errchkjson // compared
		if b, _ := json.Marshal(want); !bytes.Equal(a, b) || err != nil { //nolint:errchkjson // compared
			t.Errorf("read %d: %s, %v, want %s", i, a, err, b)
		}
		if v, err := g.Get(t.Context(), 1); v.Name != "\xff" || err != nil {
			t.Errorf("read %d: %q, %v: text that is not UTF-8 was replaced", i, v.Name, err)
		}
	}
	for _, result := range []struct {
		f    string
		hits float64
	}{{"proto", 2}, {"json", 1}} {
		if got := metric(t, n, "lethe_requests_total", "function", result.f, "result", "hit"); got != result.hits {
			t.Errorf("%s: %v hits, want %v", result.f, got, result.hits)
		}
	}
}
