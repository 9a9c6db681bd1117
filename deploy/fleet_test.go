package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const file = "/v1/functions/file.read?arg=countries/jp.json"

var nodes = []string{"node-1", "node-2", "node-3"}

// One story, because what comes later needs what came before: the fleet comes up, serves, loses a server and a node, gets them
// back, loses its database, and ends.
func TestTheFleetOfTheComposeFileRuns(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// As docs/deploy.md makes them, of the sort that a parser could take for a number.
	f := newTopology(t, load(t, "NATS_PASSWORD=12345678e90123456789012345678901", "POSTGRES_PASSWORD=00112233445566778899001122334455", "HTTP_TOKEN_FILE="+token))
	f.up(nodes...)

	f.threeAreCurrent(t)
	f.theStreamHasThreeReplicas(t)
	f.strangersAreTurnedAway(t)
	for i := range nodes {
		f.forgetsTogether(t, nodes[i], nodes[(i+1)%len(nodes)], nodes[(i+2)%len(nodes)])
	}
	f.manifestsAreReadEverywhere(t, "node-1", "small", "node-2", "node-3")

	f.kill("nats-2")
	f.kill("node-1")
	f.manifestsAreReadEverywhere(t, "node-2", "large", "node-2", "node-3")
	// The node that was killed says nothing: it counts as done when it could no longer serve what it had.
	if _, _, err := f.publisher("invalidate", "file.read", "countries/jp.json", "--wait", "--timeout", "2m"); err != nil {
		t.Error(err)
	}
	f.forgetsTogether(t, "node-3", "node-2")

	f.start("nats-2")
	f.healthy("nats-2")
	f.start("node-1")
	f.healthy("node-1")
	f.threeAreCurrent(t)
	f.theStreamHasThreeReplicas(t)
	f.manifestsAreReadEverywhere(t, "node-1", "medium", nodes...)

	f.theDatabaseMayBeAway(t)
	f.manifestsAreReadEverywhere(t, "node-3", "small", nodes...)
	f.followThePage(t)
	f.manifestsAreReadEverywhere(t, "node-2", "medium", nodes...)
	f.endsInTime(t)
}

func (t *topology) threeAreCurrent(tb testing.TB) {
	tb.Helper()
	eventually(tb, "three nodes are current", func() error {
		current, err := t.fleet()
		slices.Sort(current)
		if err == nil && !slices.Equal(current, nodes) {
			err = fmt.Errorf("current: %v", current)
		}
		return err
	})
	// The command of the service itself, as `docker compose run --rm publisher` runs it.
	eventually(tb, "the tool lists them", func() error {
		out, _, err := t.publisher()
		for _, n := range nodes {
			if err == nil && !strings.Contains(out, n) {
				err = fmt.Errorf("no %s in\n%s", n, out)
			}
		}
		return err
	})
}

func (t *topology) theStreamHasThreeReplicas(tb testing.TB) {
	tb.Helper()
	eventually(tb, "the stream stands", func() error {
		out, _, err := t.publisher("stream", "info", "-o", "json", "--timeout", "30s")
		if err != nil {
			return err
		}
		var said struct {
			Replicas int
			Storage  string
			Problems []string
		}
		if err := json.Unmarshal([]byte(out), &said); err != nil {
			return err
		}
		if said.Replicas != 3 || !strings.EqualFold(said.Storage, "file") || len(said.Problems) > 0 {
			return fmt.Errorf("%+v", said)
		}
		return nil
	})
}

func (t *topology) strangersAreTurnedAway(tb testing.TB) {
	tb.Helper()
	for path, want := range map[string]int{"/v1/status": http.StatusUnauthorized, file: http.StatusUnauthorized, "/livez": http.StatusOK, "/readyz": http.StatusOK, "/metrics": http.StatusOK} {
		a, err := t.anyone("node-2", http.MethodGet, path, "", nil)
		if err := errors.Join(err, a.want(want)); err != nil {
			tb.Errorf("%s without a token: %v", path, err)
		}
	}
	for _, password := range []string{"", "for-local-use-only"} {
		if _, code, _ := t.publisherAs([]string{"LETHE_PASSWORD=" + password}, "nodes"); code != 5 {
			tb.Errorf("with the password %q the servers let a stranger in: exit code %d", password, code)
		}
	}
}

// forgetsTogether reads on each node until it remembers, invalidates through one, and reads again with the token.
func (t *topology) forgetsTogether(tb testing.TB, through string, others ...string) {
	tb.Helper()
	all := append([]string{through}, others...)
	for _, n := range all {
		eventually(tb, n+" remembers", func() error {
			got, err := t.cached(n, file, "")
			if err == nil && got != "hit" {
				err = errors.New(got)
			}
			return err
		})
	}
	var token string
	eventually(tb, through+" invalidates", func() error { // a server may just have lost its leader
		a, err := t.call(through, http.MethodPost, "/v1/invalidate", "", `{"targets": [{"tagPrefix": "file:countries/"}]}`)
		token = a.header.Get("Lethe-Token")
		return errors.Join(err, a.want(http.StatusOK))
	})
	for _, n := range all {
		if got, err := t.cached(n, file, token); err != nil || got == "hit" || got == "stale" {
			tb.Errorf("%s after the token: %q, %v", n, got, err)
		}
	}
}

const gadget = `
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: gadget}
spec:
  apiVersion: example.dev/v1
  names: {kind: Gadget, plural: gadgets}
  schema:
    type: object
    properties: {model: {type: string}}
    required: [model]
---
apiVersion: example.dev/v1
kind: Gadget
metadata: {namespace: acme, name: helper}
spec: {model: %s}
`

func (t *topology) manifestsAreReadEverywhere(tb testing.TB, through, model string, on ...string) {
	tb.Helper()
	var token string
	eventually(tb, through+" applies", func() (err error) {
		token, err = t.apply(through, fmt.Sprintf(gadget, model))
		return err
	})
	for _, n := range on {
		eventually(tb, n+" reads", func() error { // what answers 503 may be asked again; what is wrong stays wrong
			a, err := t.call(n, http.MethodGet, "/v1/manifests/gadget/acme/helper", token, "")
			if err := errors.Join(err, a.want(http.StatusOK)); err != nil {
				return err
			}
			var said struct{ Spec struct{ Model string } }
			if err := json.Unmarshal([]byte(a.body), &said); err != nil || said.Spec.Model != model {
				return fmt.Errorf("%w: %s, want %s", errors.Join(errForGood, err), a.body, model)
			}
			return nil
		})
	}
}

// theDatabaseMayBeAway takes it away and brings it back: nodes stay alive, and serve what does not need it.
func (t *topology) theDatabaseMayBeAway(tb testing.TB) {
	tb.Helper()
	t.kill("postgres")
	for _, n := range nodes {
		a, err := t.anyone(n, http.MethodGet, "/livez", "", nil)
		if err := errors.Join(err, a.want(http.StatusOK)); err != nil {
			tb.Errorf("%s without a database: %v", n, err)
		}
		if _, err := t.cached(n, file, ""); err != nil {
			tb.Errorf("%s without a database: %v", n, err)
		}
		eventually(tb, n+" has in memory what it read before", func() error { // for a moment without its lease it would ask
			a, err := t.call(n, http.MethodGet, "/v1/manifests/gadget/acme/helper", "", "")
			return errors.Join(err, a.want(http.StatusOK))
		})
	}
	t.start("postgres")
	t.healthy("postgres")
	for _, n := range nodes {
		t.healthy(n)
	}
}

// endsInTime ends nodes and servers as the engine would.
func (t *topology) endsInTime(tb testing.TB) {
	tb.Helper()
	for _, name := range []string{"node-1", "node-2", "node-3", "nats-1", "nats-2", "nats-3"} {
		s := t.project.Services[name]
		grace := max(time.Duration(*s.StopGracePeriod), patience) // on a slow machine
		begun := time.Now()
		if err := t.running[name].end(syscall.SIGTERM, grace); err != nil && s.Build != nil {
			tb.Errorf("%s ended with: %v\n%s", name, err, t.running[name].out.tail())
		}
		tb.Logf("%s ended in %v", name, time.Since(begun).Round(time.Millisecond))
		delete(t.running, name)
	}
}
