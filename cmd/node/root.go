package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
)

// newRoot is the command line: serve is what the program does when no command is named.
func newRoot() *cobra.Command {
	var cfg config
	run := func(cmd *cobra.Command, _ []string) error {
		if err := cli.FromEnv(cmd.Flags(), os.Getenv); err != nil {
			return cli.Exit(cli.CodeUsage, err)
		}
		return ended(serve(cmd.Context(), cfg, cmd.ErrOrStderr()))
	}
	root := &cobra.Command{
		Use:   "lethe-node",
		Short: "A node that memoizes files and forgets together with its fleet",
		Long: "A node that memoizes files and forgets together with its fleet.\n\n" +
			"Every flag can be set by the environment: LETHE_ and its name (LETHE_FLEET), NATS_URL for --nats-url.\n" +
			"Exit codes: 0 ended by SIGINT or SIGTERM, 1 error, 2 wrong flags. Servers that can't be reached are waited for.",
		Args: cobra.NoArgs,
		RunE: run,
	}
	serveCmd := &cobra.Command{Use: "serve", Short: "Run the node (the default)", Args: cobra.NoArgs, RunE: run}
	cfg.flags(root.Flags())
	serveCmd.Flags().AddFlagSet(root.Flags())
	root.AddCommand(serveCmd, newVersion(), newHealthcheck())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), cli.VersionLine("lethe-node"))
			return err
		},
	}
}
