package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

func newDelete(o *options) *cobra.Command {
	var files fileFlags
	var f changeFlags
	var missing bool
	cmd := &cobra.Command{
		Use:   "delete KIND/NAME… | KIND NAME… | -f FILE|FOLDER|-",
		Short: "Delete manifests, one after the other, and whatever was computed from them is forgotten everywhere",
		Long: "Delete manifests, one after the other, and whatever was computed from them is forgotten everywhere. Those of files are\n" +
			"deleted in the opposite order, kinds last. When one can't be deleted the others still are.",
		Example: "  lethe-publisher --fleet shop -n acme delete chatbot/helper plugin/search --wait\n" +
			"  lethe-publisher --fleet shop delete -f bots/",
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := o.named(cmd, args, &files)
			if err != nil {
				return err
			}
			header, err := f.header()
			if err != nil {
				return err
			}
			return o.change(cmd, &f, func(ctx context.Context, conn *nats.Conn) (ctl.Written, error) {
				return o.each(list, func(n ctl.Name) (done ctl.Written, err error) {
					err = o.ask(ctx, conn, ctl.Delete, n.Kind, n, header, &done)
					var no *ctl.Refusal
					if missing && errors.As(err, &no) && no.Code == http.StatusNotFound {
						return ctl.Written{}, nil
					}
					return done, err
				})
			})
		},
	}
	files.add(cmd)
	f.add(cmd)
	cmd.Flags().BoolVar(&missing, "ignore-not-found", false, "what is not there is no error")
	return cmd
}

// each does work for every name, also after one that failed, unless nobody answers any more.
func (*options) each(list []ctl.Name, work func(ctl.Name) (ctl.Written, error)) (all ctl.Written, err error) {
	var problems []error
	for _, n := range list {
		done, err := work(n)
		if err != nil {
			problems = append(problems, err)
			if code := cli.Code(err); code != cli.CodeFailed {
				break
			}
			continue
		}
		all = merge(all, done)
	}
	return all, errors.Join(problems...)
}

// named is which objects are meant: by name, or by the manifests in files, those last first.
func (o *options) named(cmd *cobra.Command, args []string, files *fileFlags) ([]ctl.Name, error) {
	switch {
	case len(args) > 0 && len(files.paths) > 0:
		return nil, cli.Usagef("give either names or -f")
	case len(args) > 0:
		list, err := names(args, o.namespace)
		if err == nil && list[0].Name == "" {
			err = cli.Usagef("%s: which of them? Give KIND/NAME", args[0])
		}
		return list, err
	case len(files.paths) == 0:
		return nil, cli.Usagef("which? Give KIND/NAME, or files with -f")
	}
	all, err := files.read(o, cmd)
	if err != nil {
		return nil, err
	}
	list := make([]ctl.Name, 0, len(all))
	for _, g := range slices.Backward(all) {
		if err := g.misspelt(); err != nil {
			return nil, err
		}
		n := g.name()
		if n.Kind == "" || n.Name == "" {
			return nil, fmt.Errorf("%s: a manifest needs kind and metadata.name", g.at("metadata"))
		}
		if n.Namespace == "" {
			n.Namespace = defaultNamespace
		}
		list = append(list, n)
	}
	slices.SortStableFunc(list, func(a, b ctl.Name) int { return cmp.Compare(rank(a), rank(b)) })
	return list, nil
}

// rank puts kinds behind their objects.
func rank(n ctl.Name) int {
	if strings.EqualFold(n.Kind, "Kind") {
		return 1
	}
	return 0
}

// names reads KIND/NAME…, or KIND NAME…; a KIND alone has no name.
func names(args []string, namespace string) (list []ctl.Name, err error) {
	kind, _, slash := strings.Cut(args[0], "/")
	if !slash && len(args) == 1 {
		return []ctl.Name{{Kind: kind, Namespace: namespace}}, nil
	}
	if !slash {
		args = args[1:]
	}
	for _, arg := range args {
		n := ctl.Name{Kind: kind, Namespace: namespace, Name: arg}
		if slash {
			var ok bool
			if n.Kind, n.Name, ok = strings.Cut(arg, "/"); !ok {
				return nil, cli.Usagef("%q: want KIND/NAME, as the others", arg)
			}
		}
		if n.Kind == "" || n.Name == "" || strings.Contains(n.Name, "/") {
			return nil, cli.Usagef("%q: want KIND/NAME", arg)
		}
		list = append(list, n)
	}
	return list, nil
}
