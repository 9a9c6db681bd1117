package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// service is a process of examples/platform: a node of the fleet that computes views from manifests.
type service struct {
	*process
	client *http.Client
}

// launchServices starts three of them on the nodes' bus and database.
func (f *fleet) launchServices(ctx context.Context) error {
	for i := range 3 {
		p, err := launch(ctx, f.platform, fmt.Sprintf("view-%d", i+1),
			"-fleet", fleetName, "-nats", f.nodes[0].nats, "-database", f.database(), "-http", "127.0.0.1:0")
		if p != nil {
			f.services = append(f.services, &service{process: p, client: &http.Client{}})
		}
		if err != nil {
			return err
		}
	}
	for _, s := range f.services {
		if err := s.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) ready(ctx context.Context) error {
	return s.await(ctx, func(ctx context.Context) error {
		_, _, err := s.read(ctx, "/readyz", "")
		return err
	})
}

// read asks for a view, as of a token where there is one.
func (s *service) read(ctx context.Context, path, token string) (body, cache string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.http+path, http.NoBody)
	if err != nil {
		return "", "", err
	}
	if token != "" {
		req.Header.Set("Lethe-Token", token)
	}
	text, header, err := do(s.client, req)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", s.name, err)
	}
	return string(text), header.Get("Lethe-Cache"), nil
}

// applied is what a node answers to manifests.
type applied struct {
	Results []result `json:"results"`
	Token   string   `json:"token"`
}

type result struct {
	Action string `json:"action"`
	Kind   string `json:"kind"`
	Name   string `json:"name"`
}

func (r result) changed() bool { return r.Action != "unchanged" }

// apply sends a manifest to the node over HTTP.
func (n *node) apply(ctx context.Context, document string) (got applied, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.http+"/v1/manifests", strings.NewReader(document))
	if err != nil {
		return got, err
	}
	req.Header.Set("Content-Type", "application/yaml")
	text, _, err := do(n.client, req)
	if err != nil {
		return got, fmt.Errorf("%s: %w", n.name, err)
	}
	err = json.Unmarshal(text, &got)
	return got, err
}

// The views of the platform, and what they read: helper and scout use the plugin crm, porter does not; the account shows all.
var (
	chatbots = []string{"/chatbots/acme/helper", "/chatbots/acme/scout", "/chatbots/acme/porter"}
	account  = "/accounts/acme/acme"
)

// manifests applies the platform's, computes views from them, and then changes one of them through one node.
func (s *story) manifests(ctx context.Context) error {
	s.say("\nManifests: the kinds of an AI-agent platform, and what one customer has of them, applied in one go")
	out, err := s.publish(ctx, "apply", "-f", filepath.Join(s.samples, "kinds"), "-f", filepath.Join(s.samples, "acme"), "--wait", "--timeout", "20s")
	if err != nil {
		return err
	}
	var first applied
	if err := json.Unmarshal(out, &first); err != nil {
		return fmt.Errorf("lethe-publisher printed %s: %w", out, err)
	}
	for _, r := range first.Results {
		if r.Action != "created" {
			return fmt.Errorf("%s/%s was %s", r.Kind, r.Name, r.Action)
		}
	}
	s.say("  %d manifests created, one transaction", len(first.Results))
	if err := s.launchServices(ctx); err != nil {
		return err
	}
	views := append(slices.Clone(chatbots), account)
	for _, cache := range []string{"miss", "hit"} {
		if err := s.expect(ctx, "", views, cache); err != nil {
			return err
		}
	}
	s.say("  three services compute %d views from them, each once, and remember them; none says what it depends on", len(views))
	changed, err := s.changedPlugins()
	if err != nil {
		return err
	}
	if err := s.changePlugin(ctx, changed); err != nil {
		return err
	}
	same, err := s.nodes[2].apply(ctx, changed)
	if err != nil {
		return err
	}
	if same.Token != "" || slices.ContainsFunc(same.Results, result.changed) {
		return fmt.Errorf("the same again, through %s: %+v", s.nodes[2].name, same)
	}
	if err := s.expect(ctx, "", views, "hit"); err != nil {
		return err
	}
	s.say("  the same again through %s: unchanged, nothing was announced, everything still in memory", s.nodes[2].name)
	return nil
}

// What the plugin says before and after.
const (
	oldWords = "Finds a contact by name or address"
	newWords = "Finds a contact by name or phone number"
)

func (s *story) changedPlugins() (string, error) {
	text, err := os.ReadFile(filepath.Join(s.samples, "acme", "plugins.yaml"))
	if err != nil {
		return "", err
	}
	changed := strings.Replace(string(text), oldWords, newWords, 1)
	if changed == string(text) {
		return "", errors.New("plugins.yaml is not the one this demo knows")
	}
	return changed, nil
}

// changePlugin changes one plugin through the second node: what uses it is computed anew everywhere, and nothing else.
func (s *story) changePlugin(ctx context.Context, document string) error {
	begin := time.Now()
	got, err := s.nodes[1].apply(ctx, document)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	actions := map[string]int{}
	for _, r := range got.Results {
		actions[r.Action]++
	}
	if actions["configured"] != 1 || actions["unchanged"] != 2 || got.Token == "" {
		return fmt.Errorf("applying one change of three manifests: %v, token %q", actions, got.Token)
	}
	s.say("  the plugin crm is changed through %s: 1 configured, 2 unchanged (%s, token %s)", s.nodes[1].name, brief(took), got.Token)
	if err := s.expect(ctx, got.Token, []string{chatbots[0], chatbots[1], account}, "miss"); err != nil { // what uses it
		return err
	}
	if err := s.expect(ctx, got.Token, []string{chatbots[2]}, "hit"); err != nil { // what does not
		return err
	}
	for _, v := range s.services {
		body, _, err := v.read(ctx, chatbots[0], got.Token)
		if err != nil {
			return err
		}
		if !strings.Contains(body, newWords) {
			return fmt.Errorf("%s shows the old plugin: %s", v.name, body)
		}
	}
	s.say("  on all three services the two chatbots that use it, and the account that shows them, were computed anew; the third")
	s.say("  chatbot came from memory")
	return nil
}

// expect reads views on every service and requires that each came as it should.
func (s *story) expect(ctx context.Context, token string, views []string, cache string) error {
	for _, v := range s.services {
		for _, path := range views {
			body, got, err := v.read(ctx, path, token)
			if err != nil {
				return err
			}
			if got != cache {
				return fmt.Errorf("%s: %s was a %s, want a %s: %s", v.name, path, got, cache, body)
			}
			s.reads++
		}
	}
	return nil
}
