package deploy

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestOurImagesAreTargetsOfTheDockerfile(t *testing.T) {
	t.Parallel()
	stages := dockerfile(t)
	for name, s := range load(t).Services {
		if s.Build == nil {
			continue
		}
		if !slices.ContainsFunc(stages, func(st stage) bool { return st.name == s.Build.Target }) {
			t.Errorf("%s: the Dockerfile has no target %q", name, s.Build.Target)
		}
		if s.Build.Target != s.Image {
			t.Errorf("%s: target %s of image %s", name, s.Build.Target, s.Image)
		}
		entry := words(t, last(t, stages, s.Build.Target, "ENTRYPOINT"))
		if len(entry) != 1 || entry[0] != "/"+s.Image {
			t.Errorf("%s: the image runs %q", name, entry)
		}
		if user := last(t, stages, s.Build.Target, "USER"); user != s.User {
			t.Errorf("%s: user %s, the image's is %s", name, s.User, user)
		}
	}
}

func TestTheImagesAreNothingButTheProgram(t *testing.T) {
	t.Parallel()
	stages := dockerfile(t)
	from := map[string]string{}
	for _, s := range stages {
		from[s.name] = s.from
	}
	for _, target := range []string{"lethe-node", "lethe-publisher"} {
		base := target
		for from[base] != "" {
			base = from[base]
		}
		if base != "scratch" {
			t.Errorf("%s stands on %q", target, base)
		}
		if user := last(t, stages, target, "USER"); !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user) {
			t.Errorf("%s runs as %q: want numbers, for who checks that it is not root", target, user)
		}
	}
	// Nothing here runs a shell: there is none.
	check := last(t, stages, "lethe-node", "HEALTHCHECK")
	i := strings.Index(check, "CMD ")
	if i < 0 {
		t.Fatalf("HEALTHCHECK %s", check)
	}
	if got := words(t, check[i+4:]); !slices.Equal(got, []string{"/lethe-node", "healthcheck"}) {
		t.Errorf("HEALTHCHECK %q", got)
	}
}

func TestTheBuildIsPinnedToTheGoOfTheModule(t *testing.T) {
	t.Parallel()
	module := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(source(t, "go.mod"))
	if module == nil {
		t.Fatal("go.mod names no Go")
	}
	if got, want := dockerfile(t)[0].from, "golang:"+module[1]; got != want && !strings.HasPrefix(got, want+".") {
		t.Errorf("built with %s, want %s", got, want)
	}
}

func TestWhatIsCopiedIsThere(t *testing.T) {
	t.Parallel()
	stages := dockerfile(t)
	ignored := ignores(t)
	for _, s := range stages {
		for _, st := range s.steps {
			if st.verb != "COPY" {
				continue
			}
			var stageName string
			var paths []string
			for _, word := range strings.Fields(st.text) {
				switch name, ok := strings.CutPrefix(word, "--from="); {
				case ok:
					stageName = name
				case !strings.HasPrefix(word, "--"):
					paths = append(paths, word)
				}
			}
			for _, p := range paths[:len(paths)-1] {
				switch {
				case stageName == "":
					if _, err := os.Stat(filepath.Join(root, p)); err != nil || ignored(p) {
						t.Errorf("COPY %s: %v, ignored: %v", p, err, ignored(p))
					}
				case !slices.ContainsFunc(stages, func(st stage) bool { return st.name == stageName }):
					t.Errorf("COPY --from=%s: no such stage", stageName)
				case strings.HasPrefix(p, "/out/"):
					if _, err := os.Stat(filepath.Join(programs(t), strings.TrimPrefix(p, "/out/"))); err != nil {
						t.Errorf("COPY %s: the build makes no such file: %v", p, err)
					}
				}
			}
		}
	}
}

// Without all that git tracks the toolchain would stamp a changed tree, and what is secret has no place in a build.
func TestTheBuildSeesTheSourcesAndNoSecrets(t *testing.T) {
	t.Parallel()
	ignored := ignores(t)
	for _, p := range []string{".git", "go.mod", "go.sum", "cmd/node/main.go", "cmd/publisher/main.go", "schemas/schemas.go", "docs/deploy.md", "deploy/nats.conf"} {
		if ignored(p) {
			t.Errorf("%s is left out", p)
		}
	}
	for _, p := range []string{".env", "bin", ".bin", "node.test"} {
		if !ignored(p) {
			t.Errorf("%s is taken along", p)
		}
	}
}

// ignores reads .dockerignore, which has plain names and one level of wildcards.
func ignores(tb testing.TB) func(string) bool {
	tb.Helper()
	var patterns []string
	for line := range strings.Lines(source(tb, ".dockerignore")) {
		line = strings.TrimSpace(line)
		if strings.ContainsAny(line, "!?[") || strings.Contains(line, "**") {
			tb.Fatalf(".dockerignore: %q is more than is understood here", line)
		}
		if line != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, strings.TrimPrefix(line, "/"))
		}
	}
	return func(name string) bool {
		name = path.Clean(name)
		for ; name != "."; name = path.Dir(name) {
			for _, p := range patterns {
				if ok, _ := path.Match(p, name); ok {
					return true
				}
			}
		}
		return false
	}
}
