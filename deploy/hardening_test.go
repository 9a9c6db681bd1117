package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

func TestAFileThatIsNotComposeIsRefused(t *testing.T) {
	t.Parallel()
	good := source(t, "docker-compose.yml")
	for _, tc := range []struct{ name, old, now string }{
		{"a key that does not exist", "\n  read_only: true\n", "\n  readonly: true\n"},
		{"a service that does not exist", "postgres: {condition:", "postgresql: {condition:"},
		{"a secret that does not exist", "secrets: [http_token]", "secrets: [token]"},
		{"a volume that does not exist", "volumes: [\"postgres:/var", "volumes: [\"pg:/var"},
		{"a circle", "condition: service_completed_successfully}", "condition: service_completed_successfully}\n    node-1: {condition: service_started}"},
	} {
		bad := strings.Replace(good, tc.old, tc.now, 1)
		if bad == good {
			t.Fatalf("%s: nothing to replace", tc.name)
		}
		file := filepath.Join(t.TempDir(), "docker-compose.yml")
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read(t.Context(), file); err == nil {
			t.Errorf("%s: accepted", tc.name)
		}
	}
}

func TestNoServiceMayMoreThanItNeeds(t *testing.T) {
	t.Parallel()
	p := load(t)
	for name, s := range p.Services {
		user, _, _ := strings.Cut(s.User, ":")
		switch {
		case once(p, name):
			// The one that gives away what belongs to root: it can do nothing else, and reach nobody.
			if user != "0" || !slices.Equal(s.CapAdd, []string{"CHOWN"}) || s.NetworkMode != "none" || s.Restart != "no" {
				t.Errorf("%s: user %q, capabilities %v, network %q, restart %q", name, s.User, s.CapAdd, s.NetworkMode, s.Restart)
			}
		case !regexp.MustCompile(`^[1-9]\d*$`).MatchString(user):
			t.Errorf("%s: user %q: want a number that is not root's", name, s.User)
		case len(s.CapAdd) > 0:
			t.Errorf("%s: adds capabilities %v", name, s.CapAdd)
		case tool(s) != (s.Restart == "no") || !tool(s) && s.Restart != types.RestartPolicyUnlessStopped:
			t.Errorf("%s: restart %q", name, s.Restart)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
			t.Errorf("%s: read-only %v, capabilities dropped %v, security %v, privileged %v", name, s.ReadOnly, s.CapDrop, s.SecurityOpt, s.Privileged)
		}
		if s.Deploy == nil || s.Deploy.Resources.Limits == nil {
			t.Errorf("%s: no limits", name)
			continue
		}
		if l := s.Deploy.Resources.Limits; l.MemoryBytes == 0 || l.NanoCPUs == 0 || l.Pids == 0 {
			t.Errorf("%s: limits %+v", name, l)
		}
		if s.Logging == nil || s.Logging.Options["max-size"] == "" {
			t.Errorf("%s: its log may grow without bound", name)
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind && !v.ReadOnly {
				t.Errorf("%s: may write to the host's %s", name, v.Source)
			}
		}
	}
}

func TestGoProgramsKnowTheirMemory(t *testing.T) {
	t.Parallel()
	for name, s := range load(t).Services {
		value := s.Environment["GOMEMLIMIT"]
		if value == nil {
			continue
		}
		var limit types.UnitBytes
		if err := limit.DecodeMapstructure(strings.TrimSuffix(*value, "iB")); err != nil {
			t.Errorf("%s: GOMEMLIMIT %s: %v", name, *value, err)
		}
		if most := s.Deploy.Resources.Limits.MemoryBytes; limit <= 0 || limit > most*9/10 {
			t.Errorf("%s: GOMEMLIMIT %d of %d: the collector has to work before the container ends", name, limit, most)
		}
	}
}

func TestOnlyThisMachineCanConnect(t *testing.T) {
	t.Parallel()
	published := map[string]string{}
	for name, s := range load(t).Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q", name, port.Published, port.HostIP)
			}
			if other := published[port.Published]; other != "" {
				t.Errorf("%s and %s publish %s", name, other, port.Published)
			}
			published[port.Published] = name
		}
		if s.NetworkMode == "host" {
			t.Errorf("%s is on the host's network", name)
		}
	}
	want := map[string]string{"4222": "nats-1", "8081": "node-1", "8082": "node-2", "8083": "node-3"}
	for port, name := range want {
		if published[port] != name {
			t.Errorf("port %s is %q's, want %s", port, published[port], name)
		}
	}
	if len(published) != len(want) {
		t.Errorf("published: %v", published)
	}
}

func TestWhatRunsIsAskedForItsHealth(t *testing.T) {
	t.Parallel()
	p := load(t)
	for name, s := range p.Services {
		if once(p, name) || tool(s) {
			continue
		}
		h := s.HealthCheck
		if h == nil || h.Disable || len(h.Test) < 2 || h.Test[0] != "CMD" || h.Interval == nil || h.Timeout == nil || h.Retries == nil || h.StartPeriod == nil {
			t.Errorf("%s: health check %+v: want a command without a shell, and its times", name, h)
		}
	}
}

func TestNobodyStartsBeforeWhatItNeeds(t *testing.T) {
	t.Parallel()
	p := load(t)
	for name, s := range p.Services {
		for other, d := range s.DependsOn {
			want := types.ServiceConditionHealthy
			if once(p, other) {
				want = types.ServiceConditionCompletedSuccessfully
			}
			if d.Condition != want || !d.Required {
				t.Errorf("%s waits for %s: %s, required %v", name, other, d.Condition, d.Required)
			}
		}
		if s.Image != "lethe-node" {
			continue
		}
		for _, need := range []string{"nats-1", "nats-2", "nats-3", "postgres"} {
			if _, ok := s.DependsOn[need]; !ok {
				t.Errorf("%s does not wait for %s", name, need)
			}
		}
	}
}

func TestANodeHasTheTimeToEnd(t *testing.T) {
	t.Parallel()
	const requests, loads = 5 * time.Second, 30 * time.Second // docs/deploy.md: what a node waits for when it ends
	for name, s := range load(t).Services {
		if s.Image == "lethe-node" && (s.StopGracePeriod == nil || time.Duration(*s.StopGracePeriod) <= requests+loads) {
			t.Errorf("%s: %v", name, s.StopGracePeriod)
		}
	}
}

func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	// One version of the server: in the nodes, in the tests of this module, in the image.
	required := regexp.MustCompile(`github\.com/nats-io/nats-server/v2 v(\S+)`)
	nats, here := required.FindStringSubmatch(source(t, "go.mod")), required.FindStringSubmatch(source(t, "deploy/go.mod"))
	if nats == nil || !slices.Equal(nats, here) {
		t.Fatalf("go.mod has %v, deploy/go.mod %v", nats, here)
	}
	for name, s := range load(t).Services {
		if s.Build != nil {
			continue
		}
		image, tag, _ := strings.Cut(s.Image, ":")
		switch image {
		case "nats":
			if tag != nats[1]+"-alpine" { // the scratch image has no wget
				t.Errorf("%s: %s: the tests are run with %s", name, s.Image, nats[1])
			}
		case "postgres":
			// A major version: the files of one can't be read by another, and within one only faults are mended.
			if !regexp.MustCompile(`^[1-9]\d(\.\d+)?-alpine$`).MatchString(tag) {
				t.Errorf("%s: %s", name, s.Image)
			}
		default:
			t.Errorf("%s: image %q is none that is known here", name, s.Image)
		}
	}
}
