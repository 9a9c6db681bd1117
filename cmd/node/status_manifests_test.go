package main

import (
	"fmt"
	"strings"
	"testing"
)

const kindOfRobots = `
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: robot}
spec:
  apiVersion: example.dev/v1
  names: {kind: Robot, shortNames: [robo]}
  schema: {type: object, required: [model], properties: {model: {type: string}}}
  statusSchema: {type: object, properties: {phase: {enum: [ready, down]}, at: {type: string}}}
---
apiVersion: example.dev/v1
kind: Robot
metadata: {namespace: acme, name: helper}
spec: {model: m1}
`

func TestAStatusIsPutBesideTheManifest(t *testing.T) {
	t.Parallel()
	sites := startStores(t, "one", "two")
	one, two := sites[0], sites[1]
	token := one.apply(kindOfRobots)
	const object, at = "/v1/manifests/robot/acme/helper", "/v1/manifests/robo/acme/helper/status"
	status := func(token string) (string, string) {
		got, h := two.must(200, "GET", object, "", "Lethe-Token", token)
		return fmt.Sprint(got["status"]), h.Get("Lethe-Cache")
	}
	status(token)
	if s, cache := status(token); s != "<nil>" || cache != "hit" {
		t.Errorf("%s, %s", s, cache)
	}
	done, h := one.must(200, "PUT", at, "status: {phase: ready}\n", "Lethe-Reason", "it answers")
	token, _ = done["token"].(string)
	results, _ := done["results"].([]any)
	first, _ := results[0].(map[string]any)
	if token == "" || h.Get("Lethe-Token") != token || first["action"] != "configured" || first["kind"] != "Robot" || first["generation"] != 1.0 {
		t.Fatalf("%v", done)
	}
	if s, cache := status(token); s != "map[phase:ready]" || cache != "miss" {
		t.Errorf("on the other node: %s, %s", s, cache)
	}

	// What was read is changed and put, once: it has the version that was read.
	read, _ := two.must(200, "GET", object, "", "Lethe-Token", token)
	meta, _ := read["metadata"].(map[string]any)
	whole := func(phase string) string {
		return fmt.Sprintf(`{"apiVersion": "example.dev/v1", "kind": "Robot", "metadata": {"namespace": "acme", "name": "helper", "uid": %q, "resourceVersion": %q, "labels": {}},
			"spec": {"model": "not taken"}, "status": {"phase": %q}}`, meta["uid"], meta["resourceVersion"], phase)
	}
	two.must(200, "PUT", at, whole("down"))
	conflict, _ := two.must(409, "PUT", at, whole("ready"))
	if conflict["field"] != "metadata.resourceVersion" {
		t.Errorf("%v", conflict)
	}
	for _, tc := range []struct {
		path, body string
		status     int
		field      string
		line       float64
	}{
		{at, "status: {phase: up}", 422, "status.phase", 0},
		{at, `{"status": {"phaze": "up"}}`, 422, "status.phaze", 0},
		{at, `{"phase": "up"}`, 422, "phase", 1},
		{at, "\nmetadata:\n  resourceversion: '1'\nstatus: {}\n", 422, "metadata.resourceversion", 3},
		{at, "metadata: {resourceVersion: 7}\nstatus: {}", 422, "metadata.resourceVersion", 1},
		{at, "spec: {}", 422, "status", 0},
		{at, "kind: Robot\nmetadata:\n  name: other\nstatus: {}", 422, "metadata.name", 3},
		{at, "kind: robot\nstatus: {}", 422, "kind", 1},
		{at, "apiVersion: other.dev/v1\nstatus: {}", 422, "apiVersion", 0},
		{at, "status: {}\n---\nstatus: {}", 422, "", 0},
		{at, "status: {}\nstatus: {}", 400, "status", 2},
		{at, "", 400, "status", 0},
		{at, "status: ready", 422, "status", 0},
		{at + "?dryRun=true", "status: {}", 400, "dryRun", 0},
		{"/v1/manifests/robot/acme/nobody/status", "status: {}", 404, "name", 0},
		{"/v1/manifests/nothing/acme/helper/status", "status: {}", 404, "kind", 0},
		{"/v1/manifests/kind/default/robot/status", "status: {}", 422, "status", 0},
	} {
		got, said, _ := one.ask("PUT", tc.path, tc.body)
		field, _ := said["field"].(string)
		line, _ := said["line"].(float64)
		if text, _ := said["error"].(string); got != tc.status || field != tc.field || text == "" || tc.line > 0 && line != tc.line {
			t.Errorf("%s %.60q: %d %v, want %d, field %q, line %v", tc.path, tc.body, got, said, tc.status, tc.field, tc.line)
		}
	}
	one.must(405, "GET", at, "")

	done, _ = one.must(200, "PUT", at, `{"status": null}`)
	token, _ = done["token"].(string)
	if s, _ := status(token); s != "<nil>" {
		t.Errorf("taken away: %s", s)
	}
	kind, _ := one.must(200, "GET", "/v1/kinds/robot", "")
	if !strings.Contains(fmt.Sprint(kind["statusSchema"]), "phase") {
		t.Errorf("%v", kind)
	}
}
