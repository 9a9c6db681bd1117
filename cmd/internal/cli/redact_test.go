package cli

import (
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestTheAddressOfADatabaseIsShownWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"postgres://lethe:s3cret@db.example.com:5432/lethe?sslmode=require&password=s3cret": "postgres://db.example.com:5432/lethe",
		"postgresql://lethe@db/lethe":             "postgresql://db/lethe",
		"sqlite:state/lethe.db?_auth_pass=s3cret": "sqlite:state/lethe.db",
		"sqlite::memory:":                         "sqlite::memory:",
		"postgres:s3cret":                         "(unreadable address)",
		"postgres://s3cret:%zz@x":                 "(unreadable address)",
	} {
		if got := RedactDatabase(dsn); got != want {
			t.Errorf("%s: %s, want %s", dsn, got, want)
		}
	}
}

func TestWhatIsShownIsNotSaidAgain(t *testing.T) {
	t.Parallel()
	root := &cobra.Command{Use: "x", RunE: func(*cobra.Command, []string) error { return Exit(CodeFailed, ErrShown) }}
	root.SetArgs(nil)
	var words strings.Builder
	root.SetErr(&words)
	if code := Execute(context.Background(), root); code != CodeFailed || words.Len() > 0 {
		t.Errorf("code %d, %q", code, words.String())
	}
}
