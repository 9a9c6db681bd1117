package ctl

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestKnowledgeOfAFunction(t *testing.T) {
	t.Parallel()
	functions := []lethe.FunctionInfo{
		{Name: "catalog.price", Former: "shop.price", Kinds: []string{"string"}},
		{Name: "catalog.page", Kinds: []string{"string", "number"}},
		{Name: "file.read", Kinds: []string{"any"}},
		{Name: "now", Kinds: []string{}},
	}
	for _, tc := range []struct {
		target      event.Target
		known, fits bool
		nearest     []string
	}{
		{event.Function("catalog.price"), true, true, nil},
		{event.Key("shop.price", "a"), true, true, nil},
		{event.Key("catalog.price", "a"), true, true, nil},
		{event.Key("catalog.price", 1), true, false, nil},
		{event.Key("catalog.price", "a", "b"), true, false, nil},
		{event.Key("catalog.price"), true, false, nil},
		{event.Key("catalog.page", "a", 2), true, true, nil},
		{event.Key("catalog.page", "a", "2"), true, false, nil},
		{event.Key("file.read", []int{1}), true, true, nil},
		{event.Key("now"), true, true, nil},
		{event.Key("file.raed", "x"), false, false, []string{"file.read"}},
		{event.Function("catalog.pric"), false, false, []string{"catalog.price", "catalog.page"}},
		{event.Function("files.read"), false, false, []string{"file.read"}},
		{event.Function("entirely.other"), false, false, nil},
	} {
		k := knowledgeOf("one", functions, tc.target)
		if k.Known != tc.known || k.Fits != tc.fits || !slices.Equal(k.Nearest, tc.nearest) {
			t.Errorf("%s: %+v", tc.target, k)
		}
	}
}

func TestVerdictIsCompleteOnlyWhereEveryNodeHasAnswered(t *testing.T) {
	t.Parallel()
	answer := func(node string, k Knowledge) Answer {
		data, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return Answer{Node: node, Data: data}
	}
	no := []Answer{answer("a", Knowledge{Nearest: []string{"x"}}), answer("b", Knowledge{Nearest: []string{"x", "y"}})}
	for name, tc := range map[string]struct {
		answers  []Answer
		there    []string
		listed   bool
		complete bool
	}{
		"all":                           {no, []string{"a", "b"}, true, true},
		"one is silent":                 {no, []string{"a", "b", "c"}, true, false},
		"nobody knows who is there":     {no, nil, true, false},
		"there may be others":           {no, []string{"a", "b"}, false, false},
		"two of a name, one has spoken": {no, []string{"a", "b", "b"}, true, false},
		"one could not say":             {append(slices.Clone(no), Answer{Node: "c", Err: context.Canceled}), []string{"a", "b", "c"}, true, false},
	} {
		if v := verdict(tc.answers, tc.there, tc.listed); v.Complete != tc.complete || v.Known || !slices.Equal(v.Nearest, []string{"x", "y"}) {
			t.Errorf("%s: %+v", name, v)
		}
	}
	v := verdict([]Answer{no[0], answer("b", Knowledge{Known: true, Args: []string{"number"}}), answer("c", Knowledge{Known: true, Fits: true, Args: []string{"string"}})}, nil, false)
	if !v.Known || !v.Fits || len(v.Args) != 2 || v.Nearest != nil {
		t.Errorf("known by some: %+v", v)
	}
}
