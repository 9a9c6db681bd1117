package access

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// A node with a database whose user was made before there were subjects of kinds answers those who have the right to all.
func TestANodeThatMayNotHearOfKindsAnswersOfAll(t *testing.T) {
	t.Parallel()
	keeper, editor := of(t, Options{Role: Node, Name: "keeper", Relay: true}), of(t, Options{Role: Editor})
	for _, what := range ctl.KindVerbs() {
		keeper.Subscribe = without(keeper.Subscribe, "lethe.v1.ctl.shop."+what+".*")
	}
	url := serve(t, keeper, editor)
	var log cmdtest.Log
	keeps(t, url, keeper, plugin, slog.New(slog.NewTextHandler(&log, nil)))
	e := login(t, url, editor)
	if err := ctl.Request(within(t, patience), e.Conn, "shop", ctl.Apply, []byte(plugin), nil, &ctl.Written{}); err != nil {
		t.Error(err)
	}
	if err := ctl.Request(within(t, patience), e.Conn, "shop", ctl.OfKind(ctl.Apply, "Plugin"), []byte(plugin), nil, &ctl.Written{}); !errors.Is(err, ctl.ErrNoNode) {
		t.Errorf("nobody listens there: %v", err)
	}
	until(t, "what is missing is logged", func() bool {
		return strings.Contains(log.String(), "subject=lethe.v1.ctl.shop.apply.*") && strings.Contains(log.String(), "one kind of manifests alone")
	})
}

func TestANodeWithPermissionsOfBeforeWorksAndLogsWhatIsMissing(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	const missing = "lethe.v1.ctl.shop.has"
	for i := range users {
		if users[i].Name == c.node.Name {
			users[i].Subscribe = without(users[i].Subscribe, missing)
		}
	}
	url := serve(t, users...)
	var log cmdtest.Log
	n := join(t, login(t, url, c.node), lethe.Config{Name: c.node.Name, Logger: slog.New(slog.NewTextHandler(&log, nil))}).ready()
	admin := login(t, url, c.admin)
	for what, body := range map[string]string{ctl.GetStatus: "", ctl.Explain: `{"function":"catalog.price","args":["42"]}`} {
		for _, name := range []string{n.Status().Name, ""} {
			got, err := ctl.Ask(within(t, patience), admin.Conn, "shop", what, name, []byte(body))
			if err != nil || len(got) != 1 || got[0].Err != nil {
				t.Errorf("%s of %q: %+v, %v", what, name, got, err)
			}
		}
	}
	n.fill()
	n.lost("an event", n.say(event.Key(string(price), "42")), n.price)
	said := func() (lines []string) {
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "permission_denied") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	until(t, "what is missing is logged", func() bool { return len(said()) > 0 })
	if got := said(); len(got) != 1 || !strings.Contains(got[0], "subject="+missing) || !strings.Contains(got[0], "functions") {
		t.Errorf("%d lines: %q", len(got), got)
	}
	asker := join(t, admin, lethe.Config{Name: "asker", PublishOnly: true})
	v, err := ctl.AskHas(within(t, ctl.HasTime), admin.Conn, asker.Node, event.Function("catalog.pirce"), func() {})
	if v.Complete || v.Known {
		t.Errorf("a node that can't be asked counts as a no: %+v, %v", v, err)
	}
	if err := n.Ready(within(t, patience)); err != nil {
		t.Error(err)
	}
}
