package cmdtest

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// timeoutVar is the variable that sets the flag --timeout.
const timeoutVar = "LETHE_TIMEOUT"

// Until is the script command until CODE PATTERN [PROGRAM ARG… --] PROGRAM ARG…: it runs the last program again and again until
// its exit code is CODE and PATTERN matches what it prints. Each try has twice as long for LETHE_TIMEOUT, one second at first: a
// machine that is busy may legitimately answer "not in time" to a short one. What stands before -- runs before every try, must
// succeed, and keeps the script's own timeout.
func Until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: until CODE PATTERN [PROGRAM ARG… --] PROGRAM ARG…")
	}
	code, pattern, program := args[0], regexp.MustCompile("(?m)"+args[1]), args[2:]
	var before []string
	if i := slices.Index(program, "--"); i >= 0 {
		before, program = program[:i], program[i+1:]
	}
	own := ts.Getenv(timeoutVar)
	defer ts.Setenv(timeoutVar, own)
	begun, timeout := time.Now(), time.Second
	for {
		if before != nil {
			ts.Setenv(timeoutVar, own)
			ts.Check(ts.Exec(before[0], before[1:]...))
		}
		ts.Setenv(timeoutVar, timeout.String())
		got := codeOf(ts.Exec(program[0], program[1:]...))
		if got == code && pattern.MatchString(ts.ReadFile("stdout")+ts.ReadFile("stderr")) {
			return
		}
		if time.Since(begun) > Patience {
			ts.Fatalf("%s: exit code %s at last, want %s and %s", strings.Join(program, " "), got, code, args[1])
		}
		timeout = min(2*timeout, Patience)
	}
}

// codeOf is the exit code that an error of Exec stands for, or the error where the program has none.
func codeOf(err error) string {
	if err == nil {
		return "0"
	}
	if exit, ok := err.(*exec.ExitError); ok && exit.Exited() { //nolint:errorlint // testscript returns it as it is
		return strings.TrimPrefix(exit.Error(), "exit status ")
	}
	return err.Error()
}
