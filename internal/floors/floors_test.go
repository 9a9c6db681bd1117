package floors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/lethe-cache/lethe/"

// The floor of each package; a trailing slash takes everything below.
var plan = map[string]int{
	"schemas":             0,
	"pkg/event":           0,
	"internal/depend":     0,
	"internal/fence":      0,
	"internal/flight":     0,
	"internal/cursor":     0,
	"internal/commit":     0,
	"internal/handover":   0,
	"internal/loglimit":   0,
	"internal/migrate":    0,
	"internal/pooler":     0,
	"internal/bus":        1,
	"internal/fleet":      1,
	"pkg/embedded":        1,
	"pkg/outbox":          1,
	"pkg/lethe":           2,
	"pkg/manifest":        2,
	"pkg/lethe/lethetest": 2,
	"internal/document":   0,
	"internal/pgtest":     0,
	"cmd/":                3,
	"examples/":           4,
	"internal/floors":     4,
	"internal/mutants":    4,
	"internal/sim":        4,
	"internal/sim/":       5,
}

// Imports the plan allows although they do not point down.
var allowed = map[string]string{
	"pkg/lethe/lethetest -> pkg/lethe": "the fleet for tests is made of nodes",
	"pkg/event -> schemas":             "the schemas describe what pkg/event says, and name nothing of it",
}

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestImportsOnlyPointDown(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "-json", "./...") {
		for _, problem := range check(p) {
			t.Error(problem)
		}
	}
}

func TestThePublisherDoesNotLinkTheEmbeddedServer(t *testing.T) {
	t.Parallel()
	for _, dep := range list(t, "-deps", "-json=ImportPath", "./cmd/publisher", "./pkg/lethe", "./pkg/event") {
		if dep.ImportPath == module+"pkg/embedded" {
			t.Errorf("pkg/embedded is among the dependencies of cmd/publisher or pkg/lethe: only programs that start a server may link it")
		}
	}
}

func TestARuleBrokenIsFound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		p    pkg
		bad  bool
	}{
		{"down", pkg{ImportPath: module + "pkg/lethe", Imports: []string{module + "internal/bus"}}, false},
		{"up", pkg{ImportPath: module + "internal/bus", Imports: []string{module + "pkg/lethe"}}, true},
		{"sibling", pkg{ImportPath: module + "internal/fence", Imports: []string{module + "internal/flight"}}, true},
		{"sibling in a test", pkg{ImportPath: module + "internal/bus", TestImports: []string{module + "pkg/embedded"}}, false},
		{"up in a test", pkg{ImportPath: module + "internal/bus", XTestImports: []string{module + "pkg/lethe"}}, true},
		{"own package in an external test", pkg{ImportPath: module + "pkg/lethe", XTestImports: []string{module + "pkg/lethe"}}, false},
		{"internals in an example", pkg{ImportPath: module + "examples/x", Imports: []string{module + "internal/bus"}}, true},
		{"an example's own package", pkg{ImportPath: module + "examples/x", Imports: []string{module + "examples/x/y"}}, false},
		{"what examples share", pkg{ImportPath: module + "examples/x", Imports: []string{module + "examples/internal/y"}}, false},
		{"one example in another", pkg{ImportPath: module + "examples/x/y", Imports: []string{module + "examples/xy/z"}}, true},
		{"cmd's own internals", pkg{ImportPath: module + "cmd/node", Imports: []string{module + "cmd/internal/ctl"}}, false},
		{"one command in another", pkg{ImportPath: module + "cmd/node", Imports: []string{module + "cmd/publisher"}}, true},
		{"no floor", pkg{ImportPath: module + "pkg/util"}, true},
	} {
		if got := check(tc.p); (len(got) > 0) != tc.bad {
			t.Errorf("%s: found %q", tc.name, got)
		}
	}
}

func check(p pkg) (problems []string) {
	from := strings.TrimPrefix(p.ImportPath, module)
	floor, ok := floorOf(from)
	if !ok {
		return []string{fmt.Sprintf("%s stands on no floor: give it one in the plan", from)}
	}
	for _, imp := range p.Imports {
		to, ours := strings.CutPrefix(imp, module)
		if !ours || allowed[from+" -> "+to] != "" {
			continue
		}
		target, known := floorOf(to)
		switch {
		case strings.HasPrefix(from, "cmd/") && strings.HasPrefix(to, "cmd/internal/"),
			strings.HasPrefix(from, "examples/") && strings.HasPrefix(to, "examples/internal/"):
		case strings.HasPrefix(from, "examples/") && strings.HasPrefix(to, example(from)):
		case strings.HasPrefix(from, "examples/") && (strings.HasPrefix(to, "internal/") || strings.HasPrefix(to, "cmd/")):
			problems = append(problems, fmt.Sprintf("%s imports %s: an example may use only what its readers can import", from, to))
		case !known || target >= floor:
			problems = append(problems, fmt.Sprintf("%s (floor %d) imports %s (floor %d): imports point down only", from, floor, to, target))
		}
	}
	for _, imp := range append(p.TestImports, p.XTestImports...) {
		to, ours := strings.CutPrefix(imp, module)
		if !ours || from == "pkg/lethe" && to == "pkg/lethe/lethetest" {
			continue
		}
		if target, known := floorOf(to); !known || target > floor {
			problems = append(problems, fmt.Sprintf("a test of %s (floor %d) imports %s (floor %d): tests may import siblings, nothing above", from, floor, to, target))
		}
	}
	return problems
}

// example is the folder of the example that a package is part of: its packages may import each other.
func example(path string) string {
	parts := strings.SplitN(path, "/", 3)
	return strings.Join(parts[:2], "/") + "/"
}

func floorOf(path string) (int, bool) {
	if n, ok := plan[path]; ok {
		return n, true
	}
	for prefix, n := range plan {
		if strings.HasSuffix(prefix, "/") && strings.HasPrefix(path, prefix) {
			return n, true
		}
	}
	return 0, false
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) == 0 {
		t.Fatal("go list found no package")
	}
	return pkgs
}
