package cmdtest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// Main is a TestMain: scripts may run the program of that name, and a run that passed but left goroutines behind fails.
func Main(m *testing.M, name string, program func()) {
	testscript.Main(leakless{m}, map[string]func(){name: program})
}

type leakless struct{ *testing.M }

func (l leakless) Run() int {
	code := l.M.Run()
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// ExitCode is the script command exit CODE PROGRAM ARG…: it requires that exit code.
func ExitCode(ts *testscript.TestScript, _ bool, args []string) {
	got := codeOf(ts.Exec(args[1], args[2:]...))
	if got != args[0] {
		ts.Fatalf("%s: exit code %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}
