package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
)

// TestWrongWordsBehindAVerbAreCode2: every command, also those that come, refuses a flag that it does not have and words that it does
// not take, before it connects to anything.
func TestWrongWordsBehindAVerbAreCode2(t *testing.T) {
	t.Parallel()
	// What may stand behind a verb, and a word too many behind that.
	words := map[string]string{
		"invalidate": "no/such", "wait": "a b", "apply": "b", "delete": "a", "get": "a/b/c/d", "explain": "a/b", "kinds": "a b", "example": "a b",
		"receivers delete": "a b", "deadletters redrive": "x", "deadletters drop": "x",
	}
	var walk func(path []string, cmd *cobra.Command)
	walk = func(path []string, cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.Name() != "help" && !strings.HasPrefix(sub.Name(), "__") {
				walk(append(path[:len(path):len(path)], sub.Name()), sub)
			}
		}
		name := strings.Join(path, " ")
		wrong := "no-such-word"
		if words[name] != "" {
			wrong = words[name]
		}
		for _, line := range []string{name + " " + wrong, name + " --no-such-flag"} {
			root := newRoot()
			root.SetArgs(strings.Fields("-s nats://127.0.0.1:1 " + line))
			var said strings.Builder
			root.SetErr(&said)
			root.SetOut(&said)
			if got := cli.Execute(t.Context(), root); got != cli.CodeUsage {
				t.Errorf("lethe-publisher %s: code %d: %.200s", line, got, said.String())
			}
		}
	}
	root := newRoot()
	root.InitDefaultCompletionCmd()
	walk(nil, root)
}

func TestGroupOfCommandsNeedsOne(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"stream"} {
		root := newRoot()
		root.SetArgs(strings.Fields(line))
		var said strings.Builder
		root.SetErr(&said)
		root.SetOut(&said)
		if got := cli.Execute(t.Context(), root); got != cli.CodeUsage || !strings.Contains(said.String(), "init") {
			t.Errorf("lethe-publisher %s: code %d: %s", line, got, said.String())
		}
	}
}
