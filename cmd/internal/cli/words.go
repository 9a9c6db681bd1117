package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// speak gives root and all below it errors that say what to do: for a word that is no command, one that a command does not take, a
// flag that is misspelt, and a topic that help does not know.
func speak(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, sub := range root.Commands() {
		if sub.Name() == "help" {
			sub.Run, sub.RunE = nil, help
		}
	}
	root.SetFlagErrorFunc(flagError)
	takeNoWords(root)
}

// help is cobra's, which reports success for a topic that it does not know.
func help(cmd *cobra.Command, args []string) error {
	about, rest, err := cmd.Root().Find(args)
	if err == nil && len(rest) > 0 {
		err = noCommand(about, rest[0])
	}
	if err != nil {
		return Exit(CodeUsage, err)
	}
	about.InitDefaultHelpFlag()
	return about.Help()
}

// takeNoWords has commands that take no argument say so: cobra calls the word an unknown command, also where there are none.
func takeNoWords(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		takeNoWords(sub)
	}
	if cmd.Args == nil {
		return
	}
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		switch {
		case err == nil, len(args) == 0, !strings.HasPrefix(err.Error(), "unknown command"):
			return err
		case cmd.HasAvailableSubCommands():
			return noCommand(cmd, args[0])
		case cmd.Flags().Lookup("filename") != nil:
			return Usagef("%s takes no argument, and got %q: say %s -f %s", cmd.CommandPath(), args[0], cmd.Name(), args[0])
		}
		return Usagef("%s takes no argument, and got %q", cmd.CommandPath(), args[0])
	}
}

// noCommand says which there are, those first that look like the word.
func noCommand(cmd *cobra.Command, word string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	switch {
	case len(names) == 0:
		return Usagef("%s has no command %q", cmd.CommandPath(), word)
	case len(Nearest(word, names)) > 0:
		names = Nearest(word, names)
	}
	return Usagef("%s has no command %q: there are %s", cmd.CommandPath(), word, strings.Join(names, ", "))
}

// flagError is what is wrong with a flag, and which flags look like one that there is not.
func flagError(cmd *cobra.Command, err error) error {
	var no *pflag.NotExistError
	if !errors.As(err, &no) {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	word := no.GetSpecifiedName()
	if short := no.GetSpecifiedShortnames(); short != "" { // -fleet is read as -f leet
		if word, _, _ = strings.Cut(short, "="); !slices.Contains(names, word) {
			return err
		}
	}
	near := Nearest(word, names)
	if slices.Contains(names, word) {
		near = []string{word}
	}
	if len(near) == 0 {
		return err
	}
	return fmt.Errorf("%w; there is --%s", err, strings.Join(near, ", --"))
}
