package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/pkg/event"
)

func TestWhatTheCommandLineMeans(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		json string
		all  bool
		want string
	}{
		{[]string{"catalog.price"}, "", false, `[{"function":"catalog.price"}]`},
		{[]string{"catalog.price", "sku-42"}, "", false, `[{"function":"catalog.price","args":["sku-42"]}]`},
		{[]string{"catalog.page", "1", "true"}, "", false, `[{"function":"catalog.page","args":["1","true"]}]`},
		{[]string{"catalog.page"}, `["lamps", 2]`, false, `[{"function":"catalog.page","args":["lamps",2]}]`},
		{[]string{"catalog.page"}, `[{"b":1,"a":12345678901234567890}]`, false, `[{"function":"catalog.page","args":[{"a":12345678901234567890,"b":1}]}]`},
		{[]string{"catalog.now"}, `[]`, false, `[{"function":"catalog.now","args":[]}]`},
		{[]string{"catalog.page", "-1"}, "", false, `[{"function":"catalog.page","args":["-1"]}]`},
		{[]string{"tag/user:42"}, "", false, `[{"tag":"user:42"}]`},
		{[]string{"tag/user:42/orders", "prefix/chatbot:acme/"}, "", false, `[{"tag":"user:42/orders"},{"tagPrefix":"chatbot:acme/"}]`},
		{nil, "", true, `[{"all":true}]`},
	} {
		list, err := targets(tc.args, tc.json, tc.all)
		if err != nil {
			t.Errorf("%q %s: %v", tc.args, tc.json, err)
			continue
		}
		got, err := json.Marshal(list)
		if err != nil || string(got) != tc.want {
			t.Errorf("%q %s: got %s, %v; want %s", tc.args, tc.json, got, err, tc.want)
		}
	}
}

func TestWhatCannotBeMeantIsAUsageError(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		json string
		all  bool
		want string
	}{
		{nil, "", false, "nothing to invalidate"},
		{[]string{"catalog.price"}, "", true, "--all"},
		{[]string{"1bad"}, "", false, "function"},
		{[]string{"tag/user"}, "", false, "tag"},
		{[]string{"prefix/user:4"}, "", false, "prefix"},
		{[]string{"tag/user:1", "catalog.price"}, "", false, "catalog.price"},
		{[]string{"key/x"}, "", false, "key/x"},
		{[]string{"tag/user:1"}, "[1]", false, "--args"},
		{[]string{"f", "a"}, "[1]", false, "--args"},
		{[]string{"f"}, "{}", false, "--args"},
		{[]string{"f"}, "null", false, "--args"},
		{[]string{"f"}, "[1] [2]", false, "--args"},
		{[]string{"f", "a\xff"}, "", false, "UTF-8"},
	} {
		_, err := targets(tc.args, tc.json, tc.all)
		if cli.Code(err) != cli.CodeUsage || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q %s: got %v, want a usage error with %q", tc.args, tc.json, err, tc.want)
		}
	}
}

func TestATagFilterPassesWhatForgetsTheTag(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		filter string
		said   event.Target
		want   bool
	}{
		{"user:42", event.Tag("user:42"), true},
		{"user:42", event.Tag("user:43"), false},
		{"user:42", event.Tag("user:42/orders"), false},
		{"user:42", event.TagPrefix("user:"), true},
		{"user:42", event.TagPrefix("user:42/"), true},
		{"user:42", event.TagPrefix("user:4/"), false},
		{"user:42", event.All(), true},
		{"user:42", event.Function("catalog.price"), false},
		{"user:", event.Tag("user:42"), true},
		{"user:42/", event.Tag("user:42/orders"), true},
		{"user:42/", event.TagPrefix("user:"), true},
		{"user:42/", event.TagPrefix("user:43/"), false},
	} {
		f, err := newFilter([]string{"other:1", tc.filter})
		if err != nil {
			t.Fatal(err)
		}
		if got := f.passes(event.Event{Targets: []event.Target{tc.said}}); got != tc.want {
			t.Errorf("--tag %s, %s: got %v", tc.filter, tc.said, got)
		}
	}
	if _, err := newFilter([]string{"nofamily"}); cli.Code(err) != cli.CodeUsage {
		t.Errorf("an illegal tag: %v", err)
	}
}

func TestSinceIsADurationOrATime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                     {},
		"2h":                   now.Add(-2 * time.Hour),
		"2026-11-22T10:00:00Z": now.Add(-2 * time.Hour),
	} {
		if got, err := beginning(text, false, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "-2h"} {
		if _, err := beginning(text, false, now); cli.Code(err) != cli.CodeUsage {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWhatOthersWroteDoesNotReachTheTerminalRaw(t *testing.T) {
	t.Parallel()
	if got := plain("a\x1b[31mb\nc\u009bd"); got != "a·[31mb·c·d" {
		t.Errorf("got %q", got)
	}
	for _, r := range []rune{'\t', 0x7f, 0xad, 0x200b, 0x200d, 0x200e, 0x2028, 0x2029, 0x202e, 0x2066, 0x3164, 0xfeff, 0xfe0f, 0xe0041, 0xe000, 0x378} {
		if got := plain("a" + string(r) + "b"); got != "a·b" {
			t.Errorf("%U: got %q", r, got)
		}
	}
	if text := "Jörg Müller 日本 é\u00a0€ 😀 [x] (y)"; plain(text) != text {
		t.Errorf("got %q", plain(text))
	}
}
