package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

func newSetStatus(o *options) *cobra.Command {
	var (
		files   fileFlags
		f       changeFlags
		version string
	)
	cmd := &cobra.Command{
		Use:   "set-status KIND/NAME STATUS | -f FILE|FOLDER|-",
		Short: "Report the status of manifests, which apply leaves alone",
		Long: "Report the status of manifests, which apply leaves alone. STATUS is JSON, null takes the status away. Of the manifests in\n" +
			"files only the status is taken, one after the other; where one has a resourceVersion it has to be that of the stored one.\n\n" +
			"Whatever was computed from the object is forgotten everywhere, unless the status is the same: it is no place for a heartbeat.",
		Example: "  lethe-publisher --fleet shop -n acme set-status chatbot/helper '{\"phase\": \"ready\"}'\n" +
			"  lethe-publisher --fleet shop -n acme set-status -f observed.yaml --wait",
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, all, err := o.reported(cmd, args, &files, version)
			if err != nil {
				return err
			}
			header, err := f.header()
			if err != nil {
				return err
			}
			return o.change(cmd, &f, func(ctx context.Context, conn *nats.Conn) (done ctl.Written, err error) {
				var problems []error
				for i, c := range list {
					var one ctl.Written
					err := o.ask(ctx, conn, ctl.SetStatus, c.Kind, c, header, &one)
					if err == nil {
						done = merge(done, one)
						continue
					}
					problems = append(problems, ofDocument(all, i, err))
					if cli.Code(err) != cli.CodeFailed {
						break // nobody answers any more
					}
				}
				return done, errors.Join(problems...)
			})
		},
	}
	files.add(cmd)
	f.add(cmd)
	cmd.Flags().StringVar(&version, "resource-version", "", "only if the manifest is at this version; exit code 1 when somebody was faster")
	return cmd
}

// reported is what is to be reported: of one object by its name, or of those in files.
func (o *options) reported(cmd *cobra.Command, args []string, files *fileFlags, version string) ([]ctl.StatusChange, []given, error) {
	switch {
	case len(files.paths) > 0 && (len(args) > 0 || version != ""):
		return nil, nil, cli.Usagef("give either KIND/NAME and STATUS, or -f: in files, metadata.resourceVersion is what --resource-version is here")
	case len(files.paths) == 0 && len(args) != 2:
		return nil, nil, cli.Usagef("whose status, and which? Give KIND/NAME and STATUS, or files with -f")
	case len(args) == 2:
		list, err := names(args[:1], o.namespace)
		if err == nil && list[0].Name == "" {
			err = cli.Usagef("%s: which of them? Give KIND/NAME", args[0])
		}
		if err == nil && !json.Valid([]byte(args[1])) {
			err = cli.Usagef("STATUS is no JSON: want an object like '{\"phase\": \"ready\"}', or null for none")
		}
		if err != nil {
			return nil, nil, err
		}
		return []ctl.StatusChange{{Name: list[0], ResourceVersion: version, Status: json.RawMessage(args[1])}}, nil, nil
	}
	all, err := files.read(o, cmd)
	if err != nil {
		return nil, nil, err
	}
	list := make([]ctl.StatusChange, 0, len(all))
	for i, g := range all {
		c, err := ctl.ReadStatus(g.Document)
		if err == nil && (c.Kind == "" || c.Name.Name == "") {
			err = fmt.Errorf("%s: a manifest needs kind and metadata.name", g.at("metadata"))
		}
		if err != nil {
			return nil, nil, ofDocument(all, i, err)
		}
		list = append(list, c)
	}
	return list, all, nil
}

// ofDocument is a refusal of what stands in one of the files, with its file and line.
func ofDocument(all []given, i int, err error) error {
	var no *ctl.Refusal
	if len(all) == 0 || !errors.As(err, &no) {
		return err
	}
	no.Document = i + 1
	for j := range no.Problems {
		no.Problems[j].Document = i + 1
	}
	return placed(all, err)
}
