package main

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/cmd/internal/tail"
	"github.com/lethe-cache/lethe/pkg/event"
)

// message is one server-sent event.
type message struct {
	id   string
	Type string
	Data struct {
		Targets []map[string]any
		Reason  string
	}
}

// hear returns a function that waits for the next event.
func hear(t *testing.T, s *site, lastID string) func() message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cmdtest.Patience)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = res.Body.Close()
	})
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %s", res.Status, res.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(res.Body)
	return func() message {
		t.Helper()
		var got message
		for lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				got.id = id
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(data), &got); err != nil {
					t.Fatalf("%v: %s", err, data)
				}
				return got
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return got
	}
}

func tagged(i int) string {
	return `{"targets":[{"tag":"n:` + strconv.Itoa(i) + `"}],"reason":"` + strconv.Itoa(i) + `"}`
}

func TestEventsComeAsTheyAreAppliedWithTheirTokenAsID(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	next := hear(t, s, "")
	for i := range 20 {
		token := s.forget(tagged(i))
		got := next()
		if got.id != token || got.Type != event.TypeInvalidated || got.Data.Reason != strconv.Itoa(i) ||
			!maps.Equal(got.Data.Targets[0], map[string]any{"tag": "n:" + strconv.Itoa(i)}) {
			t.Fatalf("got %+v, want %s", got, token)
		}
	}
}

func TestAClientThatComesBackMissesNothing(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	var tokens []string
	for i := range 30 {
		tokens = append(tokens, s.forget(tagged(i)))
	}
	check := func(name string) {
		t.Helper()
		next := hear(t, s, tokens[9])
		for _, want := range tokens[10:] {
			if got := next(); got.id != want {
				t.Fatalf("%s: got %s %s, want %s", name, got.id, got.Data.Reason, want)
			}
		}
		token := s.forget(tagged(99))
		if got := next(); got.id != token {
			t.Fatalf("%s: then got %s %s, want %s", name, got.id, got.Data.Reason, token)
		}
		tokens = append(tokens, token)
	}
	check("from the ring")
	// As after a restart of the node, or more events than the ring holds.
	s.api.events.mu.Lock()
	s.api.events.ring, s.api.events.from = s.api.events.ring[25:], mustToken(t, tokens[24])
	s.api.events.mu.Unlock()
	check("from the stream")
}

// A receiver is behind what the node has applied. A client that comes back meanwhile has had some of what is yet to come.
func TestAClientThatComesBackIsNotToldAgainWhatTheHubHasYetToBring(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	early, late := mustToken(t, s.forget(tagged(1))), s.forget(tagged(2))
	next := hear(t, s, late)
	e := event.Event{
		ID: event.NewID(), Source: "/lethe/shop/one", Type: event.TypeInvalidated, Time: time.Now(), Token: early, Targets: []event.Target{event.Tag("n:1")},
	}
	if err := s.api.events.receive(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	token := s.forget(tagged(3))
	if got := next(); got.id != token {
		t.Errorf("got %s %s, want %s", got.id, got.Data.Reason, token)
	}
}

func TestWhatCannotBeSaidAgainIsAReset(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	here := mustToken(t, s.forget(tagged(1)))
	for name, id := range map[string]event.Token{
		"another epoch": event.NewToken("shop", "gone", here.Sequence()),
		"too long ago":  event.NewToken("shop", here.Epoch(), 1),
		"from ahead":    event.NewToken("shop", here.Epoch(), here.Sequence()+1_000_000),
	} {
		next := hear(t, s, id.String())
		got := next()
		if got.Type != event.TypeReset || got.id != "" || !maps.Equal(got.Data.Targets[0], map[string]any{"all": true}) {
			t.Errorf("%s: got %+v", name, got)
		}
		token := s.forget(tagged(2))
		for got = next(); got.id != token; got = next() { // what came before it may be said again
			if mustToken(t, got.id).Sequence() > mustToken(t, token).Sequence() {
				t.Fatalf("%s: after the reset got %+v, and not %s", name, got, token)
			}
		}
	}
}

func TestASlowClientIsCutOffAndTheOthersAreNot(t *testing.T) {
	t.Parallel()
	h := newHub()
	h.begin(event.NewToken("shop", "e", 1))
	slow, _, _, _ := h.join(event.Token{})
	quick, _, _, _ := h.join(event.Token{})
	for i := range hubQueue + 1 {
		e := event.Event{ID: "x", Type: event.TypeInvalidated, Source: "/x", Targets: []event.Target{event.All()}, Token: event.NewToken("shop", "e", uint64(i+2))}
		if err := h.receive(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		<-quick.queue
	}
	select {
	case <-slow.gone:
	default:
		t.Error("the slow client still holds on")
	}
	select {
	case <-quick.gone:
		t.Error("the quick client was cut off")
	default:
	}
	h.leave(slow)
	h.leave(quick)
	h.close()
	if _, _, _, ok := h.join(event.Token{}); ok {
		t.Error("a closed hub takes clients")
	}
}

func TestTheRingKnowsWhatItNoLongerHas(t *testing.T) {
	t.Parallel()
	h := newHub()
	h.begin(event.NewToken("shop", "e", 10))
	said := func(seq uint64) {
		e := event.Event{ID: "x", Type: event.TypeInvalidated, Source: "/x", Targets: []event.Target{event.All()}}
		if seq > 0 {
			e.Token = event.NewToken("shop", "e", seq)
		} else {
			e.Type = event.TypeReset
		}
		if err := h.receive(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(after uint64, missed int, complete bool) {
		t.Helper()
		c, got, ok, _ := h.join(event.NewToken("shop", "e", after))
		h.leave(c)
		if len(got) != missed || ok != complete {
			t.Errorf("after %d: %d missed, complete %v; want %d, %v", after, len(got), ok, missed, complete)
		}
	}
	expect(10, 0, true)
	expect(9, 0, false)
	for i := range uint64(hubRing) {
		said(11 + i)
	}
	expect(10, hubRing, true)
	said(11 + hubRing)
	expect(10, hubRing, false)
	expect(11, hubRing, true)
	said(0) // a reset
	expect(11+hubRing, 0, false)
	said(3000)
	expect(2999, 1, false)
	expect(3000, 0, true)
}

func mustToken(t *testing.T, text string) event.Token {
	t.Helper()
	token, err := event.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// published is what the stream holds between two positions, ticks left out.
func published(t *testing.T, s *site, after, before uint64) map[uint64]event.Event {
	t.Helper()
	stream, err := s.api.inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint64]event.Event{}
	if err := tail.Read(t.Context(), s.conn, stream, after+1, before-1, func(m tail.Message) error {
		if m.Sys == "" {
			got[m.Sequence] = m.Event
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}
