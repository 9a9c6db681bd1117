package ctl

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/nats-io/nats.go"
)

// NATS sends a header as its client writes it.
func TestAHeaderIsKnownInAnyCaseAndGivenOnce(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.node("one", Endpoint{What: Get, Answer: func(_ context.Context, q Question) (any, error) {
		return []string{q.Header(DryRunHeader), q.Header(ActorHeader), q.Header(ReasonHeader), q.Header(TokenHeader)}, nil
	}})
	nc := w.connect()
	for _, tc := range []struct {
		header  nats.Header
		refused string    // the header that the refusal names
		want    [2]string // dry run and actor
	}{
		{nats.Header{DryRunHeader: {"true"}}, "", [2]string{"true", ""}},
		{nats.Header{"lethe-dry-run": {"true"}}, "", [2]string{"true", ""}},
		{nats.Header{"LETHE-DRY-RUN": {" true "}, "letHe-aCtor": {"ada"}}, "", [2]string{"true", "ada"}},
		{nats.Header{"traceparent": {"a", "b"}, "Nats-Msg-Id": {"x"}, "lethe": {"x"}}, "", [2]string{}},
		{nats.Header{ActorHeader: {"ada", "root"}}, ActorHeader, [2]string{}},
		{nats.Header{ActorHeader: {"ada", "ada"}}, ActorHeader, [2]string{}},
		{nats.Header{ActorHeader: {"ada"}, "lethe-actor": {"root"}}, ActorHeader, [2]string{}},
		{nats.Header{DryRunHeader: {"false"}, "Lethe-dry-run": {"true"}}, DryRunHeader, [2]string{}},
		{nats.Header{DryRunHeader: {""}}, DryRunHeader, [2]string{}},
		{nats.Header{TokenHeader: {"a", "b"}}, TokenHeader, [2]string{}},
		{nats.Header{ReasonHeader: {"a", "b"}}, ReasonHeader, [2]string{}},
		{nats.Header{"Lethe-Dryrun": {"true"}}, "Lethe-Dryrun", [2]string{}},
		{nats.Header{"lethe-x": {"true"}}, "lethe-x", [2]string{}},
	} {
		var got []string
		err := Request(within(t, patience), nc, "shop", Get, nil, tc.header, &got)
		var no *Refusal
		switch {
		case tc.refused != "" && (!errors.As(err, &no) || no.Code != http.StatusBadRequest || no.Field != tc.refused):
			t.Errorf("%v: %v, %q", tc.header, err, got)
		case tc.refused == "" && (err != nil || len(got) != 4 || [2]string(got[:2]) != tc.want):
			t.Errorf("%v: %q, %v", tc.header, got, err)
		}
	}
}
