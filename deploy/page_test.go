package deploy

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"
)

const page = "docs/deploy.md"

// blocks is what stands between fences of that language on the page.
func blocks(tb testing.TB, language string) (found []string) {
	tb.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```").FindAllStringSubmatch(source(tb, page), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		tb.Fatalf("%s has no block of %s", page, language)
	}
	return found
}

// followThePage does what the page says, line by line from its top, to the services as they run here.
func (t *topology) followThePage(tb testing.TB) {
	tb.Helper()
	t.dumps = tb.TempDir()
	done := 0
	for line := range strings.Lines(strings.Join(blocks(tb, "sh"), "")) {
		line = strings.TrimSpace(line)
		if err := t.follow(tb, line); err != nil {
			tb.Errorf("%s: %s\n%v", page, line, err)
		}
		done++
	}
	if done < 10 {
		tb.Errorf("%s: only %d commands", page, done)
	}
}

func (t *topology) follow(tb testing.TB, line string) error {
	tb.Helper()
	after := func(prefix string) ([]string, bool) {
		rest, ok := strings.CutPrefix(line, prefix)
		return strings.Fields(rest), ok
	}
	if args, ok := after("docker compose run --rm publisher "); ok {
		_, _, err := t.publisher(append(args, "--timeout", "2m")...) // the default is for machines that are not busy
		return err
	}
	if _, ok := after("docker compose exec -T postgres "); ok {
		return t.inPostgres(strings.TrimPrefix(line, "docker compose exec -T postgres "))
	}
	if names, ok := after("docker compose stop "); ok {
		t.end(names...)
		return nil
	}
	if names, ok := after("docker compose up --no-deps --wait "); ok { // with a new image: the old one ends first
		t.end(names...)
		t.up(names...)
		return nil
	}
	if _, ok := after("curl "); ok {
		return t.curl(line)
	}
	switch {
	case line == "docker compose up --wait":
		t.up(nodes...)
	case line == "docker compose up --build --wait", line == "docker compose build": // how all this began
	case strings.Contains(line, "openssl rand"): // TestPasswordsMadeAsThePageSaysAreTaken
	default:
		return fmt.Errorf("%w: nobody has tried this command: teach the test to, or leave it out", errForGood)
	}
	return nil
}

// inPostgres runs a command line, redirections and all, as in the database's container.
func (t *topology) inPostgres(line string) error {
	bin, err := postgresPrograms()
	if err != nil {
		return err
	}
	s := t.project.Services["postgres"]
	cmd := exec.CommandContext(t.tb.Context(), "sh", "-c", line)
	cmd.Dir = t.dumps
	cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "PGHOST=" + t.address["postgres"], "PGPASSWORD=" + *s.Environment["POSTGRES_PASSWORD"]}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

var curlLine = regexp.MustCompile(`^curl -H "Authorization: Bearer \$\(cat deploy/http-token\)" 'http://127\.0\.0\.1:(\d+)(/[^']*)'$`)

func (t *topology) curl(line string) error {
	m := curlLine.FindStringSubmatch(line)
	if m == nil {
		return fmt.Errorf("want %v", curlLine)
	}
	for _, n := range nodes {
		if t.project.Services[n].Ports[0].Published == m[1] {
			a, err := t.call(n, http.MethodGet, m[2], "", "")
			if err != nil {
				return err
			}
			return a.want(http.StatusOK)
		}
	}
	return fmt.Errorf("no node is published on port %s", m[1])
}

// end ends services as the engine would.
func (t *topology) end(names ...string) {
	for _, name := range names {
		if err := t.running[name].end(syscall.SIGTERM, patience); err != nil {
			t.tb.Errorf("%s ended with: %v\n%s", name, err, t.running[name].out.tail())
		}
		delete(t.running, name)
	}
}

func TestPasswordsMadeAsThePageSaysAreTaken(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lethe")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	made := 0
	for line := range strings.Lines(strings.Join(blocks(t, "sh"), "")) {
		if !strings.Contains(line, "openssl rand") {
			continue
		}
		made++
		cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(line, "openssl rand -hex 24", "echo 0123456789abcdef0123456789abcdef0123456789abcdef"))
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	if made != 2 {
		t.Fatalf("%d lines", made)
	}
	env, err := os.ReadFile(filepath.Join(dir, ".env"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := load(t, strings.Split(strings.TrimSpace(string(env)), "\n")...).MarshalYAML()
	if err != nil || strings.Contains(string(text), "for-local-use-only") {
		t.Errorf("still for local use only, with\n%s(%v)", env, err)
	}
	info, err := os.Stat(filepath.Join(filepath.Dir(dir), "http-token"))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the token: %v, %v", info, err)
	}
}

func TestTheDeploymentOnThePageIsOfOurProgram(t *testing.T) {
	t.Parallel()
	type probe struct {
		HTTPGet struct{ Path string } `yaml:"httpGet"`
	}
	var d struct {
		Spec struct {
			Template struct {
				Spec struct {
					Grace      int `yaml:"terminationGracePeriodSeconds"`
					Containers []struct {
						Env       []struct{ Name string }
						Liveness  probe `yaml:"livenessProbe"`
						Readiness probe `yaml:"readinessProbe"`
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(blocks(t, "yaml")[0]), &d); err != nil {
		t.Fatal(err)
	}
	if d.Spec.Template.Spec.Grace != 45 || len(d.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("%+v", d)
	}
	c := d.Spec.Template.Spec.Containers[0]
	if c.Liveness.HTTPGet.Path != "/livez" || c.Readiness.HTTPGet.Path != "/readyz" {
		t.Errorf("alive by %q, ready by %q", c.Liveness.HTTPGet.Path, c.Readiness.HTTPGet.Path)
	}
	_, known := understood(t, "lethe-node")
	for _, e := range c.Env {
		if !slices.Contains(known, e.Name) {
			t.Errorf("%s is no variable of lethe-node", e.Name)
		}
	}
}
