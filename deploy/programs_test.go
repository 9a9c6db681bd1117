package deploy

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The programs are built once a run, when the first test asks for them, into a folder that TestMain makes and removes.
var (
	workshop string
	built    = sync.OnceValue(func() error { return build(workshop) })
)

// programs is the folder with what the Dockerfile's build stage puts into /out, and with nats-server.
func programs(tb testing.TB) string {
	tb.Helper()
	if err := built(); err != nil {
		tb.Fatal(err)
	}
	return workshop
}

func build(dir string) error {
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return err
	}
	stages, err := parseDockerfile(string(text))
	if err != nil {
		return err
	}
	// The image has no flags of its own, and git trusts the folder: both may be otherwise here.
	set := append(os.Environ(), "GOFLAGS=-buildvcs=auto", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	for _, st := range stages[0].steps {
		switch st.verb {
		case "ENV":
			set = append(set, strings.Fields(strings.NewReplacer("$TARGETOS", runtime.GOOS, "$TARGETARCH", runtime.GOARCH).Replace(st.text))...)
		case "RUN":
			command := regexp.MustCompile(`--mount=\S+\s+`).ReplaceAllString(st.text, "")
			if strings.Contains(command, "go mod download") {
				continue // what is needed is fetched by the build, and not the rest
			}
			if err := run(root, set, "sh", "-c", strings.ReplaceAll(command, "/out/", dir+"/")); err != nil {
				return fmt.Errorf("RUN %s: %w", st.text, err)
			}
		}
	}
	return run(".", append(os.Environ(), "CGO_ENABLED=0"), "go", "build", "-o", filepath.Join(dir, "nats-server"), "github.com/nats-io/nats-server/v2")
}

func run(dir string, env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

func TestTheProgramsNeedNothingBesideThem(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"lethe-node", "lethe-publisher"} {
		file := filepath.Join(programs(t), name)
		f, err := elf.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s asks for a loader, which scratch does not have", name)
			}
		}
		if libs, err := f.ImportedLibraries(); err != nil && !errors.As(err, new(*elf.FormatError)) || len(libs) > 0 {
			t.Errorf("%s needs %v (%v)", name, libs, err)
		}
		if f.Section(".symtab") != nil {
			t.Errorf("%s is not stripped", name)
		}
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range [][2]string{{"CGO_ENABLED", "0"}, {"-trimpath", "true"}, {"GOARCH", runtime.GOARCH}} {
			if !slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == want[0] && s.Value == want[1] }) {
				t.Errorf("%s: not built with %s=%s", name, want[0], want[1])
			}
		}
	}
}

func TestTheVersionIsStamped(t *testing.T) {
	t.Parallel()
	want := `v\d+\.\d+\.\d+`
	_, none := os.Stat(filepath.Join(root, ".git"))
	if _, err := os.Stat(filepath.Join(root, ".git", "shallow")); none != nil || err == nil {
		want = `(` + want + `|\(devel\))` // without a history there may be no version to be found
	}
	for _, name := range []string{"lethe-node", "lethe-publisher"} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(programs(t), name), "version").Output()
		if err != nil || !regexp.MustCompile(`^`+name+` `+want+`\S* go`).Match(out) {
			t.Errorf("version: %q, %v", out, err)
		}
	}
}
