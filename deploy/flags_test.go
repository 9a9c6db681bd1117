package deploy

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A variable that is misspelt is no error to a program: it would run with the default, unnoticed.
func TestEveryFlagAndVariableIsOneOfTheProgram(t *testing.T) {
	t.Parallel()
	p := load(t)
	checked := 0
	for name, s := range p.Services {
		if s.Build == nil {
			continue
		}
		flags, known := understood(t, s.Image)
		for variable := range s.Environment {
			checked++
			if !slices.Contains(known, variable) {
				t.Errorf("%s: %s is no variable of %s", name, variable, s.Image)
			}
		}
		for _, arg := range s.Command {
			flag, _, _ := strings.Cut(arg, "=")
			if strings.HasPrefix(flag, "-") && !slices.Contains(flags, flag) {
				t.Errorf("%s: %s is no flag of %s", name, arg, s.Image)
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d variables were found: are the services still there?", checked)
	}
}

// understood is what a program says of its flags, and the variables that it reads: those of its flags, and what the Go runtime does.
func understood(tb testing.TB, program string) (flags, variables []string) {
	tb.Helper()
	help, err := exec.CommandContext(tb.Context(), filepath.Join(programs(tb), program), "--help").Output()
	if err != nil {
		tb.Fatal(err)
	}
	variables = []string{"GOMEMLIMIT"}
	for _, line := range regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+).*$`).FindAllStringSubmatch(string(help), -1) {
		flags = append(flags, "--"+line[1])
		if own := regexp.MustCompile(`\(([A-Z]+_URL)\)`).FindStringSubmatch(line[0]); own != nil {
			variables = append(variables, own[1])
		} else {
			variables = append(variables, "LETHE_"+strings.ToUpper(strings.ReplaceAll(line[1], "-", "_")))
		}
	}
	return flags, variables
}

// Two nodes under one name would be one node to the fleet, and of two servers under one name the second is refused.
func TestEveryNodeAndServerHasItsOwnName(t *testing.T) {
	t.Parallel()
	for service, s := range load(t).Services {
		if s.Build != nil && tool(s) || s.Build == nil && !strings.HasPrefix(service, "nats-") || service == "nats-data" {
			continue
		}
		i := slices.Index(s.Command, "--name")
		if i < 0 || i+1 == len(s.Command) || s.Command[i+1] != service {
			t.Errorf("%s runs %q: want --name %s", service, s.Command, service)
		}
	}
}
