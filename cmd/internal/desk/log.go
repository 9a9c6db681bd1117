package desk

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// logStep is how many lines are read from the database at a time.
const logStep = 100

// Log is what became of an object, the latest first, in at most so many bytes. A line is smaller than the smallest answer.
func (d *Desk) Log(ctx context.Context, q ctl.LogQuery, most int) (ctl.LogPage, error) {
	switch {
	case q.Name.Name == "":
		return ctl.LogPage{}, ctl.Refuse(http.StatusUnprocessableEntity, "name", "is missing: a log is of one manifest")
	case q.Limit < 0 || q.Limit > manifest.MaxJournalLimit:
		return ctl.LogPage{}, ctl.Refuse(http.StatusUnprocessableEntity, "limit", "%d: want 1 to %d, or 0 for %d", q.Limit, manifest.MaxJournalLimit, manifest.DefaultJournalLimit)
	case q.Limit == 0:
		q.Limit = manifest.DefaultJournalLimit
	}
	return bounded(ctx, d, operation{name: "log"}, func(ctx context.Context) (ctl.LogPage, error) {
		page, size := ctl.LogPage{Lines: []ctl.LogLine{}, Continue: q.Continue}, 0
		for len(page.Lines) < q.Limit {
			o := manifest.JournalOptions{Since: q.Since, Limit: min(logStep, q.Limit-len(page.Lines)), Continue: page.Continue}
			lines, next, err := d.store.Journal(ctx, q.Kind, orDefault(q.Namespace), q.Name.Name, o)
			switch {
			case errors.Is(err, manifest.ErrNoJournal):
				return ctl.LogPage{}, ctl.Refuse(http.StatusNotFound, "journal", "no journal is kept of these manifests: start the nodes with --journal")
			case isNotFound(err):
				return ctl.LogPage{}, noKind(q.Kind)
			case err != nil:
				return ctl.LogPage{}, refused(err)
			}
			for _, l := range lines {
				line := logLine(l)
				text, err := json.Marshal(line)
				if err != nil {
					return ctl.LogPage{}, err
				}
				if size += len(text) + 1; size > most && len(page.Lines) > 0 {
					return page, nil
				}
				page.Lines, page.Continue = append(page.Lines, line), strconv.FormatInt(l.Number, 10)
			}
			if page.Continue = next; next == "" {
				break
			}
		}
		return page, nil
	})
}

// onlyLog is only for a log, which is there also when its kind is gone: nothing else has the kind's name then.
func (d *Desk) onlyLog(ctx context.Context, q ctl.Question, kind *string) error {
	err := d.only(ctx, q, kind)
	var no *ctl.Refusal
	family := strings.ToLower(*kind)
	if errors.As(err, &no) && no.Code == http.StatusNotFound && family == q.Kind {
		return nil
	}
	return err
}

func logLine(l manifest.JournalEntry) ctl.LogLine {
	line := ctl.LogLine{
		Time: l.Time, Verb: l.Verb, Action: string(l.Action), Kind: l.Kind, Namespace: l.Namespace, Name: l.Name, ResourceVersion: l.ResourceVersion,
		Generation: l.Generation, Who: l.Actor.String(), Claimed: l.Actor.Claimed(), Actor: ctl.LogActor(l.Actor), Reason: l.Reason, Ticket: l.Ticket,
		More: l.More, Left: l.Left,
	}
	for _, f := range l.Fields {
		line.Fields = append(line.Fields, ctl.LogField(f))
	}
	for _, p := range l.Problems {
		line.Problems = append(line.Problems, ctl.LogProblem(p))
	}
	return line
}
