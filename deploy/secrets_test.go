package deploy

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// A container whose file system is read-only takes secrets and configs from files only: Compose mounts these and copies others.
func TestSecretsAndConfigsAreFiles(t *testing.T) {
	t.Parallel()
	p := load(t)
	files := map[string]string{}
	for name, c := range p.Configs {
		files["config "+name] = c.File
	}
	for name, s := range p.Secrets {
		files["secret "+name] = s.File
	}
	if len(files) != 2 {
		t.Errorf("found %v", files)
	}
	for name, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// Mounted as it is: the container's user is none of the host's.
		if info.Mode().Perm()&0o004 == 0 {
			t.Errorf("%s: %s is %v: the container's user can't read it", name, file, info.Mode())
		}
	}
	for name, s := range p.Services {
		if path := s.Environment["LETHE_HTTP_TOKEN_FILE"]; path != nil {
			found := slices.ContainsFunc(s.Secrets, func(c types.ServiceSecretConfig) bool { return secretTarget(c) == *path })
			if !found {
				t.Errorf("%s: no secret is at %s", name, *path)
			}
		}
	}
}

func secretTarget(c types.ServiceSecretConfig) string {
	switch {
	case c.Target == "":
		return "/run/secrets/" + c.Source
	case strings.HasPrefix(c.Target, "/"):
		return c.Target
	}
	return "/run/secrets/" + c.Target
}

func TestPasswordsComeFromTheEnvironment(t *testing.T) {
	t.Parallel()
	token := t.TempDir() + "/token"
	if err := os.WriteFile(token, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := load(t, "NATS_PASSWORD=bus-secret", "POSTGRES_PASSWORD=row-secret", "HTTP_TOKEN_FILE="+token)
	if got := p.Secrets["http_token"].File; got != token {
		t.Errorf("the token's file is %s", got)
	}
	yaml, err := p.MarshalYAML()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(yaml), "for-local-use-only") {
		t.Error("the password for local use is still somewhere")
	}
	for name, s := range p.Services {
		variables := slices.Collect(maps.Keys(s.Environment))
		for _, want := range []struct{ variable, value string }{
			{"NATS_PASSWORD", "bus-secret"},
			{"LETHE_PASSWORD", "bus-secret"},
			{"POSTGRES_PASSWORD", "row-secret"},
			{"DATABASE_URL", "postgres://lethe:row-secret@postgres:5432/lethe?sslmode=disable"},
		} {
			if slices.Contains(variables, want.variable) && *s.Environment[want.variable] != want.value {
				t.Errorf("%s: %s is %q", name, want.variable, *s.Environment[want.variable])
			}
		}
	}
	// One that could be told from a process list is none.
	for name, s := range p.Services {
		for _, arg := range slices.Concat(s.Command, s.Entrypoint, healthTest(s)) {
			if strings.Contains(arg, "secret") {
				t.Errorf("%s: %q on a command line", name, arg)
			}
		}
	}
}

func TestWhatIsForLocalUseSaysSo(t *testing.T) {
	t.Parallel()
	if token := source(t, "deploy/http-token"); !strings.Contains(token, "local-use-only") {
		t.Errorf("the token that everybody can read is %q", token)
	}
	for name, s := range load(t).Services {
		for variable, value := range s.Environment {
			if strings.HasSuffix(variable, "PASSWORD") && *value != "for-local-use-only" {
				t.Errorf("%s: %s is %q without anybody having set it", name, variable, *value)
			}
		}
	}
}
