package views_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// document is a manifest as it is written.
type document struct {
	Kind     string
	Metadata struct {
		Namespace, Name string
		Labels          map[string]string
	}
	Spec map[string]any
}

// defaults are what the kinds fill in, said once more.
func defaults() map[string]map[string]any {
	return map[string]map[string]any{
		"Account":    {"plan": "free", "limits": map[string]any{"chatbots": 3}},
		"User":       {"role": "member"},
		"Provider":   {"timeoutSeconds": 60},
		"Connection": {"scopes": []any{}},
		"Plugin":     {"timeoutSeconds": 30},
		"Chatbot":    {"prompt": "You are a helpful assistant.", "temperature": 0.2, "plugins": []any{}},
	}
}

// whole is a written spec with what its kind fills in.
func (d document) whole() map[string]any {
	spec := maps.Clone(defaults()[d.Kind])
	if spec == nil {
		spec = map[string]any{}
	}
	maps.Copy(spec, d.Spec)
	if tools, ok := spec["tools"].([]any); ok {
		for _, t := range tools {
			if tool, ok := t.(map[string]any); ok && tool["confirm"] == nil {
				tool["confirm"] = false
			}
		}
	}
	return spec
}

// documents reads manifests with a YAML parser alone.
func documents(t *testing.T, text string) (all []document) {
	t.Helper()
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var one document
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}

// plain is a value as JSON has it.
func plain(t *testing.T, v any) (out any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// harbor is the platform of one customer: fifty manifests of seven kinds that refer to each other, with names in snake_case.
type harbor struct {
	*copies
	all  []document
	bots []string
}

func startHarbor(t *testing.T) *harbor {
	t.Helper()
	h := &harbor{copies: open(t, "blue_harbor")}
	text := files(t, "../blue_harbor/*.yaml")
	h.all = documents(t, text)
	for _, d := range h.all {
		if d.Kind == "Chatbot" {
			h.bots = append(h.bots, d.Metadata.Name)
		}
	}
	if did := h.apply(0, text); len(did) != 50 || slices.ContainsFunc(did, func(a manifest.Action) bool { return a != manifest.Created }) {
		t.Fatal(did)
	}
	return h
}

// warm reads every chatbot on all copies, until they come from memory.
func (h *harbor) warm() {
	h.t.Helper()
	for _, bot := range h.bots {
		for _, v := range h.views {
			if _, err := v.Chatbot.Get(h.t.Context(), h.customer, bot); err != nil {
				h.t.Fatal(err)
			}
		}
		h.came(bot, lethe.Hit)
	}
}

// stale requires that these chatbots, and no others, are computed anew on every copy.
func (h *harbor) stale(bots ...string) {
	h.t.Helper()
	for _, bot := range h.bots {
		want := lethe.Hit
		if slices.Contains(bots, bot) {
			want = lethe.Miss
		}
		h.came(bot, want)
	}
}

func TestFiftyManifestsAreReadBackByTheLetterOnEveryCopy(t *testing.T) {
	t.Parallel()
	h := startHarbor(t)
	kinds := map[string]int{}
	for _, d := range h.all {
		kinds[d.Kind]++
		for i, s := range h.stores {
			o, err := s.Get(t.Context(), d.Kind, d.Metadata.Namespace, d.Metadata.Name)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := plain(t, o.Spec), plain(t, d.whole()); !reflect.DeepEqual(got, want) || !maps.Equal(o.Metadata.Labels, d.Metadata.Labels) {
				t.Errorf("copy %d has %s %s as\n%v %v, not\n%v %v", i, d.Kind, d.Metadata.Name, got, o.Metadata.Labels, want, d.Metadata.Labels)
			}
		}
	}
	if len(kinds) != 7 || len(h.all) != 50 {
		t.Errorf("%d manifests of %v", len(h.all), kinds)
	}
	if did := h.apply(2, files(t, "../blue_harbor/*.yaml")); slices.ContainsFunc(did, func(a manifest.Action) bool { return a != manifest.Unchanged }) {
		t.Errorf("once more: %v", did)
	}
}

// A secret changes: through connections and plugins that are what four chatbots use. A provider is used directly.
func TestAChangeReachesThroughReferencesAndNoFurther(t *testing.T) {
	t.Parallel()
	h := startHarbor(t)
	h.warm()
	secrets := files(t, "../blue_harbor/secrets.yaml")
	h.apply(1, edit(t, secrets, "vault://kv/blue_harbor/crm_token#value", "vault://kv/blue_harbor/crm_token#next"))
	h.stale("sales_helper", "invoice_reminder", "phone_line", "lab_scribe")
	providers := files(t, "../blue_harbor/providers.yaml")
	h.apply(2, edit(t, providers, "https://voice.example.com/v1", "https://voice.example.com/v2"))
	h.stale("phone_line")
	for _, bot := range h.came("phone_line", lethe.Hit) {
		if bot.Endpoint != "https://voice.example.com/v2" {
			t.Errorf("it speaks to %s", bot.Endpoint)
		}
	}
}

func TestAClassAndOneOfItsManifestsAreInvalidatedByHand(t *testing.T) {
	t.Parallel()
	h := startHarbor(t)
	h.warm()
	with := slices.DeleteFunc(slices.Clone(h.bots), func(bot string) bool { return bot == "onboarding" }) // which has no plugins
	// A chatbot and a user make their account stale, which every chatbot of that account shows.
	ofAccount := slices.DeleteFunc(slices.Clone(h.bots), func(bot string) bool { return strings.HasPrefix(bot, "lab_") })
	for _, step := range []struct {
		kind, name string
		stale      []string
	}{
		{"plugin", "", with},
		{"bot", "port_planner", ofAccount},
		{"user", "ravi_iyer", []string{"lab_rat", "lab_scribe"}},
		{"chatbots", "", h.bots},
		{"secrets", "large_models", []string{"sales_helper", "customs_clerk", "onboarding", "port_planner", "lab_scribe"}},
		{"user", "", h.bots},
	} {
		r, err := h.stores[1].InvalidateCache(t.Context(), step.kind, h.customer, step.name)
		if err != nil || r.Action != manifest.Invalidated {
			t.Fatal(r.Action, err)
		}
		h.heard(1, r)
		h.stale(step.stale...)
	}
}

// journalled requires that the journal has these lines of a manifest, the latest first.
func (h *harbor) journalled(kind, name string, want ...string) {
	h.t.Helper()
	for i, s := range h.stores {
		lines, next, err := s.Journal(h.t.Context(), kind, h.customer, name, manifest.JournalOptions{})
		if err != nil || next != "" {
			h.t.Fatal(next, err)
		}
		var got []string
		for _, l := range lines {
			text := fmt.Sprintf("%s %s/%s by %s", l.Action, l.Kind, l.Name, l.Actor)
			for _, f := range l.Fields {
				if l.Action == manifest.Configured {
					text += fmt.Sprintf(", %s: %s -> %s", f.Path, f.Old, f.New)
				}
			}
			got = append(got, text)
		}
		if !slices.Equal(got, want) {
			h.t.Errorf("copy %d has of %s %s\n%s\nnot\n%s", i, kind, name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestTheJournalHasWhatBecameOfEachOfFiftyManifests(t *testing.T) {
	t.Parallel()
	h := startHarbor(t)
	for _, d := range h.all {
		h.journalled(d.Kind, d.Metadata.Name, fmt.Sprintf("created %s/%s by ", d.Kind, d.Metadata.Name))
	}
	sara := event.WithActor(t.Context(), event.ActorToken, "sara_lind")
	plugins := files(t, "../blue_harbor/plugins.yaml")
	if _, err := h.stores[2].Apply(sara, []byte(edit(t, plugins, "timeoutSeconds: 120", "timeoutSeconds: 90"))); err != nil {
		t.Fatal(err)
	}
	if _, err := h.stores[1].InvalidateCache(event.WithClaim(t.Context(), "tom@desk"), "plugin", h.customer, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := h.stores[0].Delete(sara, "plugin", h.customer, "weather"); err != nil {
		t.Fatal(err)
	}
	h.journalled("plugin", "customs_forms", "invalidated Plugin/ by tom@desk (claimed)",
		"configured Plugin/customs_forms by sara_lind (authenticated), spec.timeoutSeconds: 120 -> 90", "created Plugin/customs_forms by ")
	h.journalled("plugin", "weather", "deleted Plugin/weather by sara_lind (authenticated)", "invalidated Plugin/ by tom@desk (claimed)", "created Plugin/weather by ")
	h.journalled("plugin", "calculator", "invalidated Plugin/ by tom@desk (claimed)", "created Plugin/calculator by ")
	h.journalled("chatbot", "onboarding", "created Chatbot/onboarding by ")
}

func TestFiftyManifestsAreDeletedAndNothingOfThemIsServed(t *testing.T) {
	t.Parallel()
	h := startHarbor(t)
	h.warm()
	h.account("blue_harbor", lethe.Miss)
	for i, d := range h.all {
		by := i % len(h.stores)
		r, err := h.stores[by].Delete(t.Context(), d.Kind, d.Metadata.Namespace, d.Metadata.Name)
		if err != nil || r.Action != manifest.Deleted {
			t.Fatal(r.Action, err)
		}
		h.heard(by, r)
	}
	for _, v := range h.views {
		for _, bot := range h.bots {
			if _, err := v.Chatbot.Get(t.Context(), h.customer, bot); !errors.Is(err, manifest.ErrNotFound) {
				t.Errorf("%s: %v", bot, err)
			}
		}
		if _, err := v.Account.Get(t.Context(), h.customer, "blue_harbor"); !errors.Is(err, manifest.ErrNotFound) {
			t.Errorf("the account: %v", err)
		}
	}
	for _, d := range h.all {
		left, err := h.stores[0].ListAll(t.Context(), d.Kind, manifest.ListOptions{Namespace: h.customer})
		if err != nil || len(left) > 0 {
			t.Errorf("%d of %s are left, %v", len(left), d.Kind, err)
		}
	}
}
