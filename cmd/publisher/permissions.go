package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/access"
	"github.com/lethe-cache/lethe/cmd/internal/cli"
)

// permissionFormat is a format that users can be printed in: those of other results, a server's configuration, and commands
// of nsc.
type permissionFormat string

const (
	asConf permissionFormat = "conf"
	asNsc  permissionFormat = "nsc"
)

func permissionFormats() []string {
	return []string{string(table), string(asJSON), string(asYAML), string(asConf), string(asNsc)}
}

func (f *permissionFormat) Set(text string) error {
	if !slices.Contains(permissionFormats(), text) {
		return fmt.Errorf("want one of %s", strings.Join(permissionFormats(), ", "))
	}
	*f = permissionFormat(text)
	return nil
}

func (f *permissionFormat) String() string { return string(*f) }
func (*permissionFormat) Type() string     { return "format" }

func newPermissions(o *options) *cobra.Command {
	var (
		role   string
		want   access.Options
		output = permissionFormat(table)
	)
	cmd := &cobra.Command{
		Use:   "permissions",
		Short: "Print what NATS has to allow a node, a publisher, an admin, a watcher or an editor, and nothing more",
		Long: "Print what NATS has to allow a node, a publisher, an admin, a watcher or an editor, and nothing more. It asks no server.\n\n" +
			"Without --role, one user of each role. -o conf is the accounts block of a server's configuration, with a variable for\n" +
			"each password; -o nsc the commands that make the same with nsc; json and yaml have the permissions as user JWTs do.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			want.Fleet = o.fleet
			users, err := wanted(role, want)
			if err != nil {
				return cli.Exit(cli.CodeUsage, err)
			}
			return printUsers(cmd.OutOrStdout(), output, users)
		},
	}
	flags := cmd.Flags()
	flags.VarP(&output, "output", "o", "table, json, yaml, conf or nsc")
	flags.StringVar(&role, "role", "", "node, publisher, admin, watcher or editor; empty: one of each")
	flags.StringVar(&want.Name, "name", "", "name of the user, for a node its own (default: the role, web-1 for a node)")
	flags.StringArrayVar(&want.Functions, "function", nil, "it may invalidate this function, or all below one: catalog.>; several")
	flags.StringArrayVar(&want.Tags, "tag", nil, "it may invalidate tags of this family; several")
	flags.StringArrayVar(&want.Kinds, "kind", nil, "it may announce manifests of this kind, or, an editor, apply, delete and read them; several")
	flags.BoolVar(&want.External, "external", false, "a node that neither makes nor changes the stream")
	flags.BoolVar(&want.OrderedFeed, "ordered-consumer", false, "a node that follows the stream by a consumer")
	flags.BoolVar(&want.Receivers, "receivers", false, "a node with once-per-fleet receivers")
	flags.BoolVar(&want.Relay, "relay", false, "a publisher that relays an outbox, or a node with a database")
	return cmd
}

func wanted(role string, want access.Options) ([]access.User, error) {
	if role != "" {
		want.Role = access.Role(role)
		u, err := access.Of(want)
		return []access.User{u}, err
	}
	alone := access.Options{Fleet: want.Fleet}
	if want.Name != "" || len(want.Functions)+len(want.Tags)+len(want.Kinds) > 0 || want.External || want.OrderedFeed || want.Receivers || want.Relay {
		return nil, cli.Usagef("whose permissions? Give --role %s", strings.Join(roleNames(), ", "))
	}
	users := make([]access.User, 0, len(access.Roles()))
	for _, r := range access.Roles() {
		alone.Role = r
		u, err := access.Of(alone)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, nil
}

func roleNames() (names []string) {
	for _, r := range access.Roles() {
		names = append(names, string(r))
	}
	return names
}

// printedUser is a user in JSON.
type printedUser struct {
	User        string        `json:"user"`
	Role        access.Role   `json:"role"`
	Fleet       string        `json:"fleet"`
	InboxPrefix string        `json:"inboxPrefix"`
	Permissions access.Claims `json:"permissions"`
}

func printUsers(w io.Writer, as permissionFormat, users []access.User) error {
	data := make([]printedUser, 0, len(users))
	rows := []string{"USER\tMAY\tSUBJECT\tTO"}
	for _, u := range users {
		data = append(data, printedUser{u.Name, u.Role, u.Fleet, u.InboxPrefix, u.Claims()})
		for _, row := range u.Rows() {
			rows = append(rows, u.Name+"\t"+strings.Join(row, "\t"))
		}
	}
	switch as {
	case asConf:
		_, err := io.WriteString(w, access.Conf(users...))
		return err
	case asNsc:
		_, err := io.WriteString(w, access.Nsc(users...))
		return err
	case permissionFormat(asJSON): // a ">" as it is, so that it can be copied
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(data)
	default:
		plain := format(as)
		return plain.print(w, data, rows)
	}
}
