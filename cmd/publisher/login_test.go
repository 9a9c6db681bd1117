package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/cmd/internal/access/accesstest"
	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
)

// publish runs the program in this process.
func publish(t *testing.T, args ...string) (code int, out, words string) {
	t.Helper()
	root := newRoot()
	root.SetArgs(args)
	var stdout, stderr strings.Builder
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	code = cli.Execute(t.Context(), root)
	return code, stdout.String(), stderr.String()
}

func TestThePublisherLogsInByEveryWayItsFlagsKnow(t *testing.T) {
	t.Parallel()
	for _, way := range accesstest.Ways(t) {
		t.Run(way.Name, func(t *testing.T) {
			t.Parallel()
			to := []string{"-s", way.URL, "--fleet", "shop", "--timeout", cmdtest.Patience.String()}
			for _, command := range [][]string{{"stream", "init"}, {"invalidate", "catalog.price", "lamp-1"}, {"watch", "--no-follow"}} {
				if code, _, words := publish(t, slices.Concat(to, way.Flags, command)...); code != 0 {
					t.Errorf("%v: code %d: %s", command, code, words)
				}
			}
			code, out, words := publish(t, slices.Concat(to, way.Wrong, []string{"invalidate", "catalog.price"})...)
			if code == 0 || out != "" || words == "" || strings.Contains(words, "secret") {
				t.Errorf("with the wrong credentials: code %d, %q, %q", code, out, words)
			}
			if code != cli.CodeConnection {
				t.Errorf("with the wrong credentials: code %d: %s", code, words)
			}
		})
	}
}
