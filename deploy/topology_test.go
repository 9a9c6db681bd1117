package deploy

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

// topology is the Compose file's services as processes. A service has an address of its own on the loopback network, which
// takes the place of its name, and a folder or a file for each path that is mounted into its container.
type topology struct {
	tb      testing.TB
	project *types.Project
	stages  []stage
	dir     string // of volumes
	dumps   string // of what the page's commands write
	address map[string]string
	mounts  map[string]map[string]string // service, path in the container, path here
	running map[string]*child
}

// newTopology starts nothing yet.
func newTopology(tb testing.TB, p *types.Project) *topology {
	t := &topology{
		tb: tb, project: p, stages: dockerfile(tb), address: map[string]string{}, mounts: map[string]map[string]string{}, running: map[string]*child{},
	}
	// Two runs at a time do not meet, nor does any server of this machine that listens on 127.0.0.1.
	network := fmt.Sprintf("127.%d.%d.", 1+rand.IntN(254), rand.IntN(256))
	for i, name := range slices.Sorted(maps.Keys(p.Services)) {
		t.address[name] = fmt.Sprint(network, i+1)
	}
	// Not the test's own folder, which no other user may enter.
	var err error
	if t.dir, err = os.MkdirTemp("", "lethe-topology-"); err != nil { //nolint:usetesting // see above
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(t.dir) })
	if err := os.Chmod(t.dir, 0o711); err != nil {
		tb.Fatal(err)
	}
	volumes := map[string]string{}
	for name := range p.Volumes {
		volumes[name] = filepath.Join(t.dir, name)
		if err := os.Mkdir(volumes[name], 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	for name, s := range p.Services {
		t.mounts[name] = t.mount(name, s, volumes)
	}
	tb.Cleanup(t.stop)
	return t
}

func (t *topology) mount(name string, s types.ServiceConfig, volumes map[string]string) map[string]string {
	at := map[string]string{}
	for _, v := range s.Volumes {
		at[v.Target] = v.Source
		if v.Type == types.VolumeTypeVolume {
			at[v.Target] = volumes[v.Source]
		}
	}
	for _, c := range s.Secrets {
		at[secretTarget(c)] = t.project.Secrets[c.Source].File
	}
	for _, c := range s.Configs {
		text, err := os.ReadFile(t.project.Configs[c.Source].File)
		if err != nil {
			t.tb.Fatal(err)
		}
		// What a config says of addresses and paths is said of the container, too.
		t.mounts[name] = at
		file := filepath.Join(t.tb.TempDir(), filepath.Base(c.Target))
		if err := os.WriteFile(file, []byte(t.here(name, string(text))), 0o600); err != nil {
			t.tb.Fatal(err)
		}
		at[c.Target] = file
	}
	return at
}

// here is text of a service's container with the addresses and paths that they are here. A service's name becomes an address only
// with a port behind it: alone it is a name.
func (t *topology) here(service, text string) string {
	text = regexp.MustCompile(`\b(?:0\.0\.0\.0|127\.0\.0\.1)\b`).ReplaceAllString(text, t.address[service])
	for name, address := range t.address {
		text = regexp.MustCompile(`(^|[/@,])`+regexp.QuoteMeta(name)+`(:[0-9]+)`).ReplaceAllString(text, "${1}"+address+"${2}")
	}
	for path, mounted := range t.mounts[service] {
		text = regexp.MustCompile(`(^|[\s=])`+regexp.QuoteMeta(path)+`(/|\s|$)`).ReplaceAllString(text, "${1}"+mounted+"${2}")
	}
	return text
}

func (t *topology) env(service string) (env []string) {
	for name, value := range t.project.Services[service].Environment {
		env = append(env, name+"="+t.here(service, *value))
	}
	return env
}

// argv is what the container of the service runs, with other arguments if there are any.
func (t *topology) argv(service string, args ...string) []string {
	s := t.project.Services[service]
	if len(args) == 0 {
		args = s.Command
	}
	entry := []string(s.Entrypoint)
	if entry == nil && s.Build != nil {
		entry = words(t.tb, last(t.tb, t.stages, s.Build.Target, "ENTRYPOINT"))
	}
	return t.command(service, slices.Concat(entry, args))
}

func (t *topology) command(service string, argv []string) []string {
	var all []string
	for _, arg := range argv {
		all = append(all, t.here(service, arg))
	}
	all[0] = filepath.Join(programs(t.tb), filepath.Base(all[0]))
	return all
}

// up starts services when all that they wait for is there, as their conditions say, and returns when they are healthy.
func (t *topology) up(names ...string) {
	t.tb.Helper()
	for _, name := range names {
		if _, ok := t.running[name]; ok || once(t.project, name) { // what it does, giving away volumes, needs root and is not needed here
			continue
		}
		s := t.project.Services[name]
		t.up(slices.Sorted(maps.Keys(s.DependsOn))...)
		t.start(name)
	}
	for _, name := range names {
		if !once(t.project, name) {
			t.healthy(name)
		}
	}
}

func (t *topology) start(name string) {
	t.tb.Helper()
	if strings.HasPrefix(t.project.Services[name].Image, "postgres:") {
		argv, as := t.postgres(name)
		t.running[name] = spawn(t.tb, t.env(name), argv, as)
		return
	}
	t.running[name] = spawn(t.tb, t.env(name), t.argv(name), nil)
}

// kill takes a service away without a word.
func (t *topology) kill(name string) {
	t.running[name].kill()
	delete(t.running, name)
}

func (t *topology) stop() {
	for name, c := range t.running {
		if t.tb.Failed() {
			t.tb.Logf("%s:\n%s", name, c.out.tail())
		}
	}
	for _, c := range t.running {
		c.kill()
	}
}
