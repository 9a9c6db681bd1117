package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestWrongWordsAreToldWhatToDo(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"run x":               `prog run takes no argument, and got "x"`,
		"load a.yaml":         `prog load takes no argument, and got "a.yaml": say load -f a.yaml`,
		"group lits":          `prog group has no command "lits": there are list`,
		"group zzzzzzzz":      `prog group has no command "zzzzzzzz": there are list, remove`,
		"tree lits":           `prog tree has no command "lits": there are list`,
		"help rnu":            "unknown command",
		"help group lits":     `prog group has no command "lits"`,
		"help run x":          `prog run has no command "x"`,
		"load --filenam a":    "unknown flag: --filenam; there is --filename",
		"load -filename a -x": "unknown shorthand flag: 'x' in -x",
		"run -quiet":          "; there is --quiet",
	} {
		root := &cobra.Command{Use: "prog"}
		noop := func(*cobra.Command, []string) error { return nil }
		leaf := func(use string) *cobra.Command { return &cobra.Command{Use: use, Args: cobra.NoArgs, RunE: noop} }
		load := leaf("load")
		load.Flags().StringP("filename", "f", "", "")
		run := leaf("run")
		run.Flags().Bool("quiet", false, "")
		group := leaf("group")
		group.AddCommand(leaf("list"), leaf("remove"))
		tree := &cobra.Command{Use: "tree"}
		tree.AddCommand(leaf("list"))
		root.AddCommand(load, run, group, tree)
		var said strings.Builder
		root.SetArgs(strings.Fields(args))
		root.SetErr(&said)
		root.SetOut(&strings.Builder{})
		if got := Execute(t.Context(), root); got != CodeUsage || !strings.Contains(said.String(), want) {
			t.Errorf("%s: code %d: %s; want %s", args, got, said.String(), want)
		}
	}
}

func TestHelpOfWhatThereIsSucceeds(t *testing.T) {
	t.Parallel()
	root := &cobra.Command{Use: "prog"}
	root.AddCommand(&cobra.Command{Use: "run", Short: "run it", RunE: func(*cobra.Command, []string) error { return nil }})
	var out strings.Builder
	root.SetArgs([]string{"help", "run"})
	root.SetOut(&out)
	if got := Execute(t.Context(), root); got != CodeOK || !strings.Contains(out.String(), "run it") {
		t.Errorf("code %d: %s", got, out.String())
	}
}
