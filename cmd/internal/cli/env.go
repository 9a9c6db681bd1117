package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// EnvName is the variable that sets a flag: LETHE_ and the flag's name in capitals, NATS_URL for the address of the servers and
// DATABASE_URL for that of the database.
func EnvName(flag string) string {
	switch flag {
	case "server", "nats-url":
		return "NATS_URL"
	case "database-url":
		return "DATABASE_URL"
	}
	return "LETHE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// FromEnv gives every flag that the command line left out the value of its variable; an empty variable counts as none.
// --all is left alone: that everything is to be forgotten is said, and not found lying about. Errors name the variable
// and join.
func FromEnv(flags *pflag.FlagSet, getenv func(string) string) error {
	var problems []error
	flags.VisitAll(func(f *pflag.Flag) {
		value := getenv(EnvName(f.Name))
		if f.Changed || value == "" || f.Name == "help" || f.Name == "all" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", EnvName(f.Name), err))
		}
	})
	return errors.Join(problems...)
}
