package desk

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestALogFitsItsAnswerAndTheRestFollows(t *testing.T) {
	t.Parallel()
	o := newOfficeOn(t, "sqlite::memory:", slog.New(slog.DiscardHandler), manifest.WithJournal(0))
	if _, err := o.Apply(within(t), []byte(kindOfBots), false); err != nil {
		t.Fatal(err)
	}
	const changes = 130 // more than are read at a time
	for i := range changes {
		if _, err := o.Apply(within(t), []byte(bot("helper", fmt.Sprintf("%03d-%s", i, strings.Repeat("m", i)))), false); err != nil {
			t.Fatal(err)
		}
	}
	helper := ctl.Name{Kind: "bot", Namespace: "acme", Name: "helper"}
	for _, tc := range []struct{ limit, most int }{{0, 3000}, {7, 3000}, {130, 1 << 20}, {1000, 1 << 20}, {129, 1 << 20}, {5, 1}} {
		next := changes - 1
		for q := (ctl.LogQuery{Name: helper, Limit: tc.limit}); ; {
			page, err := o.Log(within(t), q, tc.most)
			if err != nil {
				t.Fatalf("%+v: %v", tc, err)
			}
			size := 0
			for _, line := range page.Lines {
				text, err := json.Marshal(line)
				if err != nil {
					t.Fatal(err)
				}
				size += len(text)
				if f := line.Fields[len(line.Fields)-1]; !strings.HasPrefix(string(f.New), fmt.Sprintf(`"%03d-`, next)) {
					t.Fatalf("%+v: %+v, want change %d", tc, f, next)
				}
				next--
			}
			if len(page.Lines) == 0 || size > tc.most && len(page.Lines) > 1 || tc.limit > 0 && len(page.Lines) > tc.limit {
				t.Fatalf("%+v: %d lines of %d bytes", tc, len(page.Lines), size)
			}
			if q.Continue = page.Continue; q.Continue == "" {
				break
			}
		}
		if next != -1 {
			t.Errorf("%+v: %d changes are missing", tc, next+1)
		}
	}
	for field, q := range map[string]ctl.LogQuery{
		"name": {Name: ctl.Name{Kind: "bot"}}, "limit": {Name: helper, Limit: 1001}, "continue": {Name: helper, Continue: "x"}, "kind": {Name: ctl.Name{Kind: "no kind", Name: "x"}},
	} {
		var no *ctl.Refusal
		if _, err := o.Log(within(t), q, 1<<20); !errors.As(err, &no) || no.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	var no *ctl.Refusal
	if _, err := newOffice(t).Log(within(t), ctl.LogQuery{Name: helper}, 1<<20); !errors.As(err, &no) || no.Code != http.StatusNotFound || no.Field != "journal" {
		t.Errorf("without a journal: %v", err)
	}
}
