package main

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

// maxLogged is how many lines log shows at most.
const maxLogged = 10_000

func newLog(o *options) *cobra.Command {
	var since string
	limit := 0
	cmd := &cobra.Command{
		Use:   "log KIND/NAME | KIND NAME",
		Short: "Show who changed a manifest, when, what and why, the latest first; nodes keep it with --journal",
		Long: "Show who changed a manifest, when, what and why, the latest first: what was applied, deleted, invalidated or refused, by itself or\n" +
			"with all of its kind. Nodes with --journal keep it, as long as their --journal-for says; it is there also for what is deleted.\n\n" +
			"Values of fields that the kind's schema marks x-secret are not in it. -o json has all that is known of a line.",
		Example: "  lethe-publisher --fleet shop -n acme log chatbot/helper --since 24h",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := names(args, o.namespace)
			if err != nil {
				return err
			}
			if len(list) != 1 || list[0].Name == "" {
				return cli.Usagef("a log is of one manifest: want KIND/NAME")
			}
			if limit < 1 || limit > maxLogged {
				return cli.Usagef("--limit %d: want 1 to %d", limit, maxLogged)
			}
			begin, err := beginning(since, false, time.Now())
			if err != nil {
				return err
			}
			return o.connected(cmd, func(ctx context.Context, conn *nats.Conn) error {
				page, err := o.logged(ctx, conn, ctl.LogQuery{Name: list[0], Since: begin, Limit: limit})
				if err != nil {
					return err
				}
				return o.printLog(cmd, page)
			})
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "no older than that long ago (2h), or than then (2026-11-22T10:00:00Z)")
	cmd.Flags().IntVar(&limit, "limit", 50, "how many changes at most; it is said when there are more")
	return cmd
}

// logged asks until it has as many lines as are wanted, or all.
func (o *options) logged(ctx context.Context, conn *nats.Conn, q ctl.LogQuery) (ctl.LogPage, error) {
	all, want := ctl.LogPage{Lines: []ctl.LogLine{}}, q.Limit
	for len(all.Lines) < want {
		const most = 100
		q.Limit, q.Continue = min(most, want-len(all.Lines)), all.Continue
		var page ctl.LogPage
		if err := o.ask(ctx, conn, ctl.Log, q.Kind, q, nil, &page); err != nil {
			return all, err
		}
		all.Lines, all.Continue = append(all.Lines, page.Lines...), page.Continue
		if page.Continue == "" {
			break
		}
	}
	return all, nil
}

func (o *options) printLog(cmd *cobra.Command, page ctl.LogPage) error {
	rows, names := []string{"TIME\tWHAT\tVERSION\tWHO\tFIELDS\tREASON"}, []string{}
	for _, l := range page.Lines {
		rows = append(rows, strings.Join([]string{
			l.Time.Local().Format(time.DateTime), plain(what(l)), plain(cmp.Or(l.ResourceVersion, "-")), plain(cmp.Or(l.Who, "-")), plain(changedFields(l)), plain(cmp.Or(l.Reason, "-")),
		}, "\t"))
		names = append(names, plain(cmp.Or(l.ResourceVersion, "-")))
	}
	if len(page.Lines) == 0 && o.output == table {
		cmd.PrintErrln("there are none")
	} else if err := o.output.print(cmd.OutOrStdout(), page, rows, names...); err != nil {
		return err
	}
	if page.Continue != "" {
		cmd.PrintErrf("there are more, older than these: --limit shows up to %d, --since those since then\n", maxLogged)
	}
	return nil
}

// what is what was done, and of more than the manifest itself where it was.
func what(l ctl.LogLine) string {
	text := l.Action
	if l.Action == "refused" {
		text = l.Verb + " refused"
	}
	switch {
	case l.Name == "" && l.Namespace == "":
		text += " (all of the kind)"
	case l.Name == "":
		text += " (all of " + l.Namespace + ")"
	}
	return text
}

// changedFields is what a row has room for: the fields and their values, or why it was refused.
func changedFields(l ctl.LogLine) string {
	const most = 5
	var all []string
	for _, p := range l.Problems {
		all = append(all, strings.TrimPrefix(p.Field+": "+p.Text, ": "))
	}
	for _, f := range l.Fields {
		value := func(text []byte) string { return cmp.Or(string(text), "none") }
		text := f.Path + ": " + value(f.Old) + " → " + value(f.New)
		if f.Secret {
			text = f.Path + ": secret"
		}
		all = append(all, text)
	}
	if n := len(all); n > most {
		all = append(all[:most], strconv.Itoa(n-most)+" more in -o json")
	}
	if l.More {
		all = append(all, "and others")
	}
	if l.Left > 0 {
		all = append(all, "before it, "+counted(l.Left, "refusal")+" not written down")
	}
	return cmp.Or(strings.Join(all, "; "), "-")
}
