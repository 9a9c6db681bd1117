package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/micro"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestStatsCountWhatWasRefused(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.node("one",
		Endpoint{What: Apply, Answer: func(_ context.Context, q Question) (any, error) {
			if string(q.Body) == "good" {
				return true, nil
			}
			return nil, Refuse(422, "", "no")
		}},
	)
	nc := w.connect()
	var asking sync.WaitGroup
	for i := range 60 {
		asking.Go(func() {
			body := "bad"
			if i%3 == 0 {
				body = "good"
			}
			var no *Refusal
			if err := Request(within(t, patience), nc, "shop", Apply, []byte(body), nil, new(bool)); (body == "good") != (err == nil) || err != nil && !errors.As(err, &no) {
				t.Errorf("%s: %v", body, err)
			}
		})
	}
	asking.Wait()
	for range 2 {
		if _, err := Ask(within(t, patience), nc, "shop", Explain, "one", []byte("no target")); err != nil {
			t.Fatal(err)
		}
	}
	id := ""
	for _, subject := range []string{"$SRV.STATS", "$SRV.STATS.lethe-node"} {
		m, err := nc.RequestWithContext(within(t, patience), subject, nil)
		if err != nil {
			t.Fatal(err)
		}
		var all micro.Stats
		if err := json.Unmarshal(m.Data, &all); err != nil || all.Type != micro.StatsResponseType || all.Name != "lethe-node" || all.Metadata["node"] != "one" {
			t.Fatalf("%s %v", m.Data, err)
		}
		id = all.ID
		got := map[string]*micro.EndpointStats{}
		for _, e := range all.Endpoints {
			got[e.Name] = e
		}
		if e := got[Apply]; e == nil || e.NumRequests != 60 || e.NumErrors != 40 || e.LastError != "422:no" || e.ProcessingTime <= 0 || e.AverageProcessingTime <= 0 {
			t.Errorf("%s: apply: %+v", subject, e)
		}
		if e := got[Explain]; e == nil || e.NumRequests != 2 || e.NumErrors != 2 || !strings.HasPrefix(e.LastError, "400:") {
			t.Errorf("%s: explain: %+v", subject, e)
		}
		if e := got[GetStatus]; e == nil || e.NumRequests != 0 || e.NumErrors != 0 {
			t.Errorf("%s: status: %+v", subject, e)
		}
	}
	var info micro.Info
	m, err := nc.RequestWithContext(within(t, patience), "$SRV.INFO.lethe-node."+id, nil)
	if err != nil || json.Unmarshal(m.Data, &info) != nil || info.Type != micro.InfoResponseType || len(info.Endpoints) != 7 {
		t.Errorf("%+v, %v", info, err)
	}
	var ping micro.Ping
	m, err = nc.RequestWithContext(within(t, patience), "$SRV.PING", nil)
	if err != nil || json.Unmarshal(m.Data, &ping) != nil || ping.Type != micro.PingResponseType || ping.ID != id {
		t.Errorf("%+v, %v", ping, err)
	}
}

// A question has the kind of its subject also in a fleet that is called like a question.
func TestAQuestionKnowsTheKindOfItsSubject(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	nc := w.connect()
	n, err := lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "apply", Name: "one"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	kind := func(_ context.Context, q Question) (any, error) { return q.Kind, nil }
	stop, err := Serve(nc, n, Endpoint{What: Apply, Answer: kind}, Endpoint{What: Ticket, Answer: kind})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	if err := errors.Join(n.Ready(within(t, patience)), nc.FlushTimeout(patience)); err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{Apply: "", OfKind(Apply, "Apply"): "apply", OfKind(Apply, "a.b"): "a%2Eb", Ticket: ""} {
		var got string
		if err := Request(within(t, patience), nc, "apply", what, nil, nil, &got); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", what, got, err, want)
		}
	}
	if err := Request(within(t, patience), nc, "apply", OfKind(Ticket, "x"), nil, nil, new(string)); !errors.Is(err, ErrNoNode) {
		t.Errorf("a ticket is of no kind: %v", err)
	}
}
