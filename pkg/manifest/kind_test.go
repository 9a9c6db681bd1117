package manifest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

const teamKind = `
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: team}
spec:
  apiVersion: example.dev/v1
  names: {kind: Team, plural: teams, shortNames: [crew]}
  schema:
    type: object
    required: [lead]
    properties:
      lead: {type: string}
      size: {type: integer, default: 3}
      bots: {type: array, items: {type: string}}
  stale: ["lead:{spec.lead}"]
  references: [{kind: Bot, field: "spec.bots[]"}]
`

const teamRed = `
apiVersion: example.dev/v1
kind: Team
metadata: {name: red, namespace: acme, labels: {colour: red}}
spec: {lead: ada, bots: [helper]}
`

func TestAKindCanBeStoredAndUsedFromEveryProcess(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps := places(t, e, 2)
		p, q := ps[0], ps[1]
		h := listen(t, p.node, p.store)
		rs := must(p.store.Apply(t.Context(), []byte(teamRed+"---"+teamKind))) // in one text, in any order
		token(t, p.store, rs[0], nil)
		if rs[0].Manifest.Kind != "Team" || rs[1].Manifest.Kind != "Kind" || string(rs[0].Manifest.Spec) != `{"bots":["helper"],"lead":"ada","size":3}` {
			t.Fatalf("%+v", rs)
		}
		want := []string{"tag/kind:*", "tag/kind:default/*", "tag/kind:default/team", "tag/lead:ada", "tag/team:*", "tag/team:acme/*", "tag/team:acme/red"}
		if got := targets(h.events(t)); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		for _, name := range []string{"Team", "team", "TEAMS", "crew"} {
			o, err := q.store.Get(t.Context(), name, "acme", "red")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rs[0].Manifest, o); diff != "" {
				t.Error(diff)
			}
		}
		if rs := must(q.store.Apply(t.Context(), []byte(teamKind+"---"+teamRed))); rs[0].Action != manifest.Unchanged || rs[1].Action != manifest.Unchanged || rs[0].Ticket != "" {
			t.Errorf("%+v", rs)
		}
		r := must(q.bots.Apply(t.Context(), bot("helper", Bot{Account: "a"})))
		token(t, q.store, r, nil)
		if got := targets(h.events(t)); !slices.Contains(got, "tag/team:acme/red") {
			t.Errorf("the team refers to the bot: %q", got)
		}
		gone, err := q.store.Delete(t.Context(), "crew", "acme", "red")
		token(t, q.store, gone, err)
		if got := targets(h.events(t)); !slices.Equal(got, []string{"tag/lead:ada", "tag/team:*", "tag/team:acme/*", "tag/team:acme/red"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestKindsAreListedWithTheirSchemasAndExamples(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		must(p.store.Apply(t.Context(), []byte(teamKind)))
		all := must(p.store.Kinds(t.Context()))
		var names []string
		for _, k := range all {
			names = append(names, fmt.Sprint(k.Kind, " ", k.Plural, " ", k.ShortNames, " ", k.Stored))
			if len(k.Schema) == 0 || len(k.Example) == 0 || k.APIVersion == "" {
				t.Errorf("%+v", k)
			}
			if k.Kind == "Kind" {
				continue
			}
			if _, err := p.store.DryRun(t.Context(), k.Example); err != nil {
				t.Errorf("the example of %s: %v", k.Kind, err)
			}
		}
		if want := []string{"Bot bots [b] false", "Kind kinds [] false", "Plugin plugins [] false", "Provider providers [] false", "Team teams [crew] true"}; !slices.Equal(names, want) {
			t.Errorf("%q", names)
		}
		one := must(p.store.Kind(t.Context(), "CREW"))
		if diff := cmp.Diff(all[4], one); diff != "" {
			t.Error(diff)
		}
		if _, err := p.store.Kind(t.Context(), "nothing"); !errors.Is(err, manifest.ErrNotFound) {
			t.Error(err)
		}
		if got := p.bots.Example(); got.Kind != "Bot" || got.APIVersion != "example.dev/v1" {
			t.Errorf("%+v", got)
		}
		if diff := cmp.Diff(string(all[0].Schema), string(p.bots.Schema())); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAKindThatWouldRefuseStoredObjectsIsRefusedWhole(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		var text strings.Builder
		text.WriteString(teamKind)
		for i := range 7 {
			text.WriteString("---" + strings.Replace(teamRed, "red", fmt.Sprintf("team-%d", i), 1))
		}
		must(p.store.Apply(t.Context(), []byte(text.String())))
		h := listen(t, p.node, p.store)
		h.events(t)
		for name, tc := range map[string]struct {
			old, now, want string
			refused        bool
		}{
			"a field is required":      {"required: [lead]", "required: [lead, size, room]", "would refuse 7 objects that are stored; change the kind, or these first: Team acme/team-0: spec.room", true},
			"a field is gone":          {"bots: {type: array, items: {type: string}}", "", "field", true},
			"a type is another":        {"size: {type: integer, default: 3}", "size: {type: string}", "spec.size", true},
			"a template can't be made": {`stale: ["lead:{spec.lead}"]`, `stale: ["lead:{spec.lead}", "Lead:{spec.lead}"]`, "stale", true},
			"a field is new":           {"size: {type", "room: {type: string}\n      size: {type", "", false},
			"a default is another":     {"default: 3", "default: 4", "", false},
		} {
			changed := strings.Replace(teamKind, tc.old, tc.now, 1)
			if strings.Contains(tc.now, "bots: {type") || changed == teamKind {
				t.Fatal(name)
			}
			if name == "a field is gone" {
				changed = strings.Replace(changed, `references: [{kind: Bot, field: "spec.bots[]"}]`, "", 1)
			}
			_, err := p.store.DryRun(t.Context(), []byte(changed))
			if !tc.refused {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v", name, err)
			}
			_, applied := p.store.Apply(t.Context(), []byte(changed))
			if applied == nil || applied.Error() != err.Error() {
				t.Errorf("%s: %v, and dry %v", name, applied, err)
			}
			if strings.Count(err.Error(), "Team acme/team-") > 5 {
				t.Errorf("%s: it names more than five: %v", name, err)
			}
		}
		if rs := must(p.store.Apply(t.Context(), []byte(teamKind))); rs[0].Action != manifest.Unchanged {
			t.Errorf("%+v", rs)
		}
		if said := h.events(t); len(said) != 0 {
			t.Errorf("%v", said)
		}
	})
}

func TestObjectsKeepTheirDefaultsAndReferencesFollowTheKind(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		must(p.store.Apply(t.Context(), []byte(teamKind+"---"+teamRed)))
		h := listen(t, p.node, p.store)
		without := strings.Replace(strings.Replace(teamKind, `references: [{kind: Bot, field: "spec.bots[]"}]`, "", 1), "default: 3", "default: 4", 1)
		must(p.store.Apply(t.Context(), []byte(without)))
		if o := must(p.store.Get(t.Context(), "team", "acme", "red")); !strings.Contains(string(o.Spec), `"size":3`) {
			t.Errorf("%s", o.Spec)
		}
		h.events(t)
		must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a"})))
		if got := targets(h.events(t)); slices.Contains(got, "tag/team:acme/red") {
			t.Errorf("it does not refer to bots any more: %q", got)
		}
		must(p.store.Apply(t.Context(), []byte(teamKind)))
		h.events(t)
		must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "b"})))
		if got := targets(h.events(t)); !slices.Contains(got, "tag/team:acme/red") {
			t.Errorf("it does again: %q", got)
		}
	})
}

func TestAKindWithObjectsIsNotDeletedAndOneWithoutIs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		must(p.store.Apply(t.Context(), []byte(teamKind+"---"+teamRed)))
		_, err := p.store.Delete(t.Context(), "Kind", "", "team")
		if !errors.Is(err, manifest.ErrConflict) || !strings.Contains(err.Error(), "there are 1 objects of this kind") {
			t.Error(err)
		}
		must(p.store.Delete(t.Context(), "Team", "acme", "red"))
		must(p.store.Delete(t.Context(), "Kind", "", "team"))
		if _, err := p.store.Apply(t.Context(), []byte(teamRed)); !errors.Is(err, manifest.ErrInvalid) {
			t.Error(err)
		}
		if _, err := p.store.Get(t.Context(), "crew", "acme", "red"); !errors.Is(err, manifest.ErrNotFound) {
			t.Error(err)
		}
		// The names are free again.
		must(p.store.Apply(t.Context(), []byte(strings.NewReplacer("{name: team}", "{name: crew}", "kind: Team, plural: teams, shortNames: [crew]", "kind: Crew, plural: teams").Replace(teamKind))))
	})
}

func TestTwoKindsNeverShareAName(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		must(p.store.Apply(t.Context(), []byte(teamKind)))
		kind := func(name, names string) string {
			return strings.NewReplacer("{name: team}", "{name: "+strings.ToLower(name)+"}", "kind: Team, plural: teams, shortNames: [crew]", names).Replace(teamKind)
		}
		for name, tc := range map[string]struct{ text, want string }{
			"a stored kind's plural":            {kind("Group", "kind: Group, plural: teams"), `"teams" is a name of the kind team already`},
			"a stored kind's short name":        {kind("Crew", "kind: Crew, plural: crews"), `"crew" is a name of the kind team already`},
			"a typed kind":                      {kind("Bots", "kind: Bots, plural: botses"), `"bots" is a name of the kind Bot already`},
			"a typed kind's short name":         {kind("Group", "kind: Group, plural: groups, shortNames: [b]"), `"b" is a name of the kind Bot already`},
			"the kind of kinds":                 {kind("Kinds", "kind: Kinds, plural: kindses"), "kinds"},
			"another document's":                {kind("One", "kind: One, plural: same") + "---" + kind("Two", "kind: Two, plural: same"), `"same" is a name of the kind`},
			"another document's, and it stands": {kind("Crews", "kind: Crews, plural: teams") + "---" + teamKind, "teams"},
		} {
			if _, err := p.store.Apply(t.Context(), []byte(tc.text)); !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if all := must(p.store.Kinds(t.Context())); len(all) != 5 {
			t.Errorf("%+v", all)
		}
	})
}

type Team struct {
	Lead string   `json:"lead"`
	Size int      `json:"size,omitempty"`
	Bots []string `json:"bots,omitempty"`
}

func TestRegisterRefusesWhatClashesWithWhatIsStored(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return // what is in memory is gone with the store
		}
		dsn, nodes := e.dsn(t), lethetest.Fleet(t, 3)
		p := openAt(t, dsn, nodes[0])
		team := manifest.Kind[Team]{APIVersion: "example.dev/v2", Name: "Team"}
		register := func(k manifest.Kind[Team]) error {
			_, err := manifest.Register(t.Context(), p.store, k)
			return err
		}
		if err := register(manifest.Kind[Team]{APIVersion: "example.dev/v1", Name: "BOTS"}); !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), "Bot") {
			t.Error(err)
		}
		must(p.store.Apply(t.Context(), []byte(teamKind)))
		if err := register(team); err == nil || !strings.Contains(err.Error(), "stored kind team") {
			t.Error(err)
		}
		if err := register(manifest.Kind[Team]{APIVersion: "example.dev/v1", Name: "Group", Plural: "Crew"}); err == nil || !strings.Contains(err.Error(), `"crew"`) {
			t.Error(err)
		}
		must(p.store.Delete(t.Context(), "kind", "", "team"))

		// Another program has the kind, and objects of it. This one has a stricter idea.
		q := openAt(t, dsn, nodes[1])
		teams := must(manifest.Register(t.Context(), q.store, team))
		for i := range 7 {
			m := manifest.Manifest[Team]{Metadata: manifest.Metadata{Name: fmt.Sprintf("team-%d", i)}, Spec: Team{Lead: "ada", Size: i}}
			m.Spec.Bots = []string{"helper"}
			must(teams.Apply(t.Context(), m))
		}
		// It starts, says so, and refuses them when they are applied again.
		strict := team
		strict.Validate = func(m manifest.Manifest[Team]) error {
			if m.Spec.Size < 6 {
				return errors.New("is too small")
			}
			return nil
		}
		log := &lines{}
		stricter := must(manifest.Register(t.Context(), openAt(t, dsn, nodes[2], manifest.WithLogger(log.logger())).store, strict))
		if log.count("would refuse 6 objects") != 1 {
			t.Errorf("the log says %q", log.text.String())
		}
		small := must(stricter.Get(t.Context(), "", "team-3"))
		small.Spec.Lead = "bob"
		if _, err := stricter.Apply(t.Context(), small); !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), "is too small") {
			t.Error(err)
		}
		// A later version of the kind reads what an earlier one has stored, and says what it refers to.
		later := team
		later.APIVersion = "example.dev/v3"
		later.References = func(m manifest.Manifest[Team]) (refs []manifest.Reference) {
			for _, b := range m.Spec.Bots {
				refs = append(refs, manifest.Reference{Kind: "Bot", Name: b})
			}
			return refs
		}
		newer := must(manifest.Register(t.Context(), p.store, later))
		m := must(newer.Get(t.Context(), "", "team-3"))
		if m.APIVersion != "example.dev/v3" || m.Spec.Size != 3 {
			t.Errorf("%+v", m)
		}
		if r := must(newer.Apply(t.Context(), m)); r.Action != manifest.Unchanged {
			t.Errorf("%+v", r)
		}
		h := listen(t, nodes[2])
		b := bot("helper", Bot{Account: "a"})
		b.Metadata.Namespace = ""
		r := must(p.bots.Apply(t.Context(), b))
		token(t, p.store, r, nil)
		if got := targets(h.events(t)); !slices.Contains(got, "tag/team:default/team-6") {
			t.Errorf("%q", got)
		}
	})
}

func TestATypedKindWinsOverOneThatIsStoredLater(t *testing.T) {
	t.Parallel()
	e := engines()[1]
	dsn, nodes := e.dsn(t), lethetest.Fleet(t, 2)
	log := &lines{}
	p := openAt(t, dsn, nodes[0], manifest.WithLogger(log.logger()))
	teams := must(manifest.Register(t.Context(), p.store, manifest.Kind[Team]{APIVersion: "example.dev/v2", Name: "Team"}))
	other := must(manifest.Open(t.Context(), dsn, nodes[1]))
	defer func() { _ = other.Close() }()
	must(other.Apply(t.Context(), []byte(strings.Replace(teamKind, "references:", "#", 1))))
	for range 2 {
		for _, k := range must(p.store.Kinds(t.Context())) {
			if k.Kind == "Team" && k.Stored {
				t.Errorf("%+v", k)
			}
		}
	}
	if r := must(teams.Apply(t.Context(), manifest.Manifest[Team]{Metadata: manifest.Metadata{Name: "t"}, Spec: Team{Lead: "ada"}})); r.Manifest.APIVersion != "example.dev/v2" {
		t.Errorf("%+v", r)
	}
	if n := log.count("clashes"); n != 1 {
		t.Errorf("it was logged %d times", n)
	}
}
