package main

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

// fileFlags say which manifests are meant.
type fileFlags struct {
	paths     []string
	recursive bool
}

func (f *fileFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&f.paths, "filename", "f", nil, "file, folder (its .yaml, .yml and .json files) or - (standard input); several")
	cmd.Flags().BoolVarP(&f.recursive, "recursive", "R", false, "also the folders below")
}

// read reads them, into the namespace that was given.
func (f *fileFlags) read(o *options, cmd *cobra.Command) ([]given, error) {
	all, err := readManifests(cmd.InOrStdin(), f.paths, f.recursive)
	if err != nil {
		return nil, err
	}
	return all, o.intoNamespace(cmd, all)
}

func newApply(o *options) *cobra.Command {
	var files fileFlags
	var f changeFlags
	cmd := &cobra.Command{
		Use:   "apply -f FILE|FOLDER|-",
		Short: "Apply manifests, all or none, and whatever was computed from them is forgotten everywhere",
		Long: "Apply manifests, all or none, and whatever was computed from them is forgotten everywhere. YAML or JSON, several to a\n" +
			"file. Applying what is there already changes and announces nothing, so to apply once more never does harm.\n\n" +
			"A manifest with a resourceVersion is applied only to that version: exit code 1 when somebody was faster.",
		Example: "  lethe-publisher --fleet shop apply -f kinds.yaml -f bots/\n" +
			"  lethe-publisher --fleet shop get chatbot/helper -o yaml | sed s/m1/m2/ | lethe-publisher --fleet shop apply -f - --wait",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := files.read(o, cmd)
			if err != nil {
				return err
			}
			header, err := f.header()
			if err != nil {
				return err
			}
			return o.change(cmd, &f, func(ctx context.Context, conn *nats.Conn) (done ctl.Written, err error) {
				err = o.ask(ctx, conn, ctl.Apply, oneKind(all), text(all), header, &done)
				return done, placed(all, severalKinds(all, err))
			})
		},
	}
	files.add(cmd)
	f.add(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and do nothing")
	return cmd
}

func newDiff(o *options) *cobra.Command {
	var files fileFlags
	cmd := &cobra.Command{
		Use:   "diff -f FILE|FOLDER|-",
		Short: "Show what apply would change; exit code 0 when nothing, 1 when something, more when it can't tell",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := o.diff(cmd, &files)
			if cli.Code(err) == cli.CodeFailed && !errors.Is(err, cli.ErrShown) {
				return cli.Exit(cli.CodeUsage, err)
			}
			return err
		},
	}
	files.add(cmd)
	return cmd
}

func (o *options) diff(cmd *cobra.Command, files *fileFlags) error {
	all, err := files.read(o, cmd)
	if err != nil {
		return err
	}
	return o.connected(cmd, func(ctx context.Context, conn *nats.Conn) error {
		var d ctl.Difference
		if err := o.ask(ctx, conn, ctl.Diff, oneKind(all), text(all), nil, &d); err != nil {
			return placed(all, severalKinds(all, err))
		}
		return o.printDiff(cmd, d)
	})
}
