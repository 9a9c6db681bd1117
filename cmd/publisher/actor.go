package main

import (
	"cmp"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/pkg/event"
)

// actorFlag is who makes a change, as every command that publishes has it.
type actorFlag struct{ said string }

func (f *actorFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.said, "actor", "", "who does it, for those who watch, marked as claimed (default user@host)")
}

// who is what the flag says, else the user and the host, or nobody where those can't be told.
func (f *actorFlag) who() (string, error) {
	if f.said != "" {
		return f.said, cli.Exit(cli.CodeUsage, event.CheckActor("--actor", f.said))
	}
	if me := whoami(); event.CheckActor("--actor", me) == nil {
		return me, nil
	}
	return "", nil
}

// whoami is user@host.
func whoami() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		return cmp.Or(name, strconv.Itoa(os.Getuid())) + "@" + host
	}
	return name
}
