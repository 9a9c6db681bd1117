package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/pkg/event"
)

// targets reads the arguments of invalidate: tag/… and prefix/…, any number of them; or one function, all of it or one
// key.
func targets(args []string, jsonArgs string, all bool) ([]event.Target, error) {
	switch {
	case all && (len(args) > 0 || jsonArgs != ""):
		return nil, cli.Usagef("--all is everything already: leave out the rest")
	case all:
		return []event.Target{event.All()}, nil
	case len(args) == 0:
		return nil, cli.Usagef("nothing to invalidate: name a function, tag/…, prefix/… or --all")
	}
	if !strings.Contains(args[0], "/") {
		if kind, rest, ok := strings.Cut(args[0], ":"); ok && slices.Contains(slashed(), kind) {
			return nil, cli.Usagef("%q: a %s stands behind a slash: %[2]s/%[3]s…", args[0], kind, rest)
		}
		t, err := functionTarget(args[0], args[1:], jsonArgs)
		return []event.Target{t}, err
	}
	if jsonArgs != "" {
		return nil, cli.Usagef("--args goes with a function, not with %s", args[0])
	}
	var list []event.Target
	var problems []error
	for _, arg := range args {
		kind, name, _ := strings.Cut(arg, "/")
		var t event.Target
		switch kind {
		case "tag":
			t = event.Tag(name)
		case "prefix":
			t = event.TagPrefix(name)
		default:
			problems = append(problems, fmt.Errorf("%q: want tag/…, prefix/… or, apart from those, manifest/KIND/NAME here", arg))
			continue
		}
		problems = append(problems, t.Err())
		list = append(list, t)
	}
	return list, cli.Exit(cli.CodeUsage, errors.Join(problems...))
}

// slashed are the words in front of what is no function.
func slashed() []string { return []string{"tag", "prefix", "manifest"} }

// taken is the argument of a function that looks as if it were to be forgotten itself; empty where there is none.
func taken(args []string) string {
	if len(args) == 0 || strings.Contains(args[0], "/") {
		return ""
	}
	for _, arg := range args[1:] {
		if kind, _, ok := strings.Cut(arg, "/"); ok && slices.Contains(slashed(), kind) {
			return arg
		}
	}
	return ""
}

// functionTarget is all of a function, or one key of it. On the command line every argument is a string; --args can say
// numbers and objects.
func functionTarget(name string, args []string, jsonArgs string) (event.Target, error) {
	var t event.Target
	switch {
	case jsonArgs != "" && len(args) > 0:
		return t, cli.Usagef("give the arguments of %s either as words or as --args", name)
	case jsonArgs != "":
		list, err := jsonArray(jsonArgs)
		if err != nil {
			return t, cli.Usagef("--args: want a JSON array like '[\"a\",2]': %w", err)
		}
		t = event.Key(name, list...)
	case len(args) > 0:
		list := make([]any, len(args))
		for i, arg := range args {
			list[i] = arg
		}
		t = event.Key(name, list...)
	default:
		t = event.Function(name)
	}
	return t, cli.Exit(cli.CodeUsage, t.Err())
}

// jsonArray keeps every element as it was written: a number must not lose digits on its way.
func jsonArray(text string) ([]any, error) {
	var raw []json.RawMessage
	dec := json.NewDecoder(strings.NewReader(text))
	if err := dec.Decode(&raw); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the array")
	}
	if raw == nil {
		return nil, errors.New("it is null")
	}
	list := make([]any, len(raw))
	for i, r := range raw {
		list[i] = json.RawMessage(bytes.TrimSpace(r))
	}
	return list, nil
}
