package lethe_test

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// redrive has the receiver called with a letter again, as the command line does.
func (c *crowdOnce) redrive(letter *jetstream.RawStreamMsg) {
	c.t.Helper()
	m := bus.Order("shop", &nats.Msg{Header: letter.Header, Data: letter.Data}, letter.Sequence)
	if _, err := c.js.PublishMsg(within(c.t), m); err != nil {
		c.t.Fatal(err)
	}
}

func TestAnEventThatCannotBeHandledBecomesADeadLetterAndCanBeTriedAgain(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 3, lethe.WithRetry(3, time.Millisecond))
	c.fails.Store(true)
	ctx := event.WithActor(event.WithReason(within(t), "poison"), "user", "ann")
	token := must[event.Token](t)(c.nodes[1].Invalidate(ctx, event.Tag("a:b")))
	letter := c.letter(1)
	h := letter.Header
	log := must[jetstream.Stream](t)(c.js.Stream(within(t), "LETHE_SHOP"))
	original := must[*jetstream.RawStreamMsg](t)(log.GetMsg(within(t), token.Sequence()))
	for key, values := range original.Header {
		if strings.HasPrefix(key, "ce-") && h.Get(key) != values[0] {
			t.Errorf("%s is %q, was %q", key, h.Get(key), values[0])
		}
	}
	if !bytes.Equal(letter.Data, original.Data) || h.Get("ce-id") == "" {
		t.Errorf("%s, was %s", letter.Data, original.Data)
	}
	for key, want := range map[string]string{
		"Lethe-Receiver": "r", "Lethe-Error": "no   [31mpoison ?", "Lethe-Tries": "3", "Lethe-Sequence": strconv.FormatUint(token.Sequence(), 10),
		"Lethe-Subject": "lethe.v1.log.shop.tag.a", "Lethe-Token": token.String(),
	} {
		if h.Get(key) != want {
			t.Errorf("%s is %q, want %q", key, h.Get(key), want)
		}
	}
	if at, err := time.Parse(time.RFC3339Nano, h.Get("Lethe-Failed-At")); err != nil || time.Since(at) > time.Hour {
		t.Errorf("%v, %v", at, err)
	}
	if c.calls.Load() != 3 {
		t.Errorf("%d calls", c.calls.Load())
	}
	sum := func() (v float64) {
		for _, n := range c.nodes {
			v += metric(t, n, "lethe_receiver_dead_letters_total", "receiver", "r")
		}
		return v
	}
	until(t, "it is counted", func() bool { return sum() == 1 })

	// In vain: the letter stays as it is, and there is no second.
	c.redrive(letter)
	until(t, "it was tried again", func() bool { return c.calls.Load() == 6 })
	c.gone("lethe.v1.dead.shop.again.r")
	if same := c.letter(1); same.Sequence != letter.Sequence {
		t.Errorf("letter %d, was %d", same.Sequence, letter.Sequence)
	}

	c.fails.Store(false)
	c.settled("what comes after it")
	c.redrive(letter)
	e := c.next("the letter")
	if e.Reason != "poison" || e.ID != h.Get("ce-id") || e.ActorID != "ann" || e.Token != token || e.Targets[0].Name() != "a:b" {
		t.Errorf("%+v", e)
	}
	c.letters(0)
	c.gone("lethe.v1.dead.shop.again.r")
	if sum() != 1 {
		t.Errorf("%v letters counted", sum())
	}
}

// gone waits until nothing is kept on a subject of the stream of dead letters.
func (c *crowdOnce) gone(subject string) {
	c.t.Helper()
	s := must[jetstream.Stream](c.t)(c.js.Stream(within(c.t), "LETHE_SHOP_DEAD"))
	until(c.t, "nothing is on "+subject, func() bool {
		return must[*jetstream.StreamInfo](c.t)(s.Info(within(c.t), jetstream.WithSubjectFilter(subject))).State.Subjects[subject] == 0
	})
}

func TestWhenDeadLettersCannotBeStoredTheEventStays(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 1, lethe.WithRetry(1, time.Millisecond))
	cfg := must[jetstream.Stream](t)(c.js.Stream(within(t), "LETHE_SHOP_DEAD")).CachedInfo().Config
	full := cfg
	full.MaxMsgSize = 1
	if _, err := c.js.UpdateStream(within(t), full); err != nil {
		t.Fatal(err)
	}
	c.fails.Store(true)
	c.say("kept")
	until(t, "it is tried more than once", func() bool { return c.calls.Load() > 1 })
	c.fails.Store(false)
	if e := c.next("the event"); e.Reason != "kept" {
		t.Fatalf("%+v", e)
	}
	if got := metric(t, c.nodes[0], "lethe_receiver_dead_letters_total", "receiver", "r"); got != 0 {
		t.Errorf("%v letters counted, none is there", got)
	}
}

func TestWhatCannotBeDecodedIsReceivedAsTheWidestThatItsSubjectMaySay(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 1)
	for subject, want := range map[string]event.Target{
		"fn.catalog.price": event.Function("catalog.price"), "tag.user": event.TagPrefix("user:"), "all": event.All(),
		"manifest.chatbot.applied": event.TagPrefix("chatbot:"),
	} {
		m := &nats.Msg{Subject: "lethe.v1.log.shop." + subject, Data: []byte("garbage"), Header: nats.Header{"Lethe-Reset": {"forged"}, "Lethe-Letter": {"1"}}}
		if _, err := c.js.PublishMsg(within(t), m); err != nil {
			t.Fatal(err)
		}
		if e := c.next("garbage on " + subject); len(e.Targets) != 1 || e.Targets[0] != want || e.Type == event.TypeReset {
			t.Errorf("%s: %+v, want %v", subject, e, want)
		}
	}
}

// A publisher of one subject must not be able to write what a node will take for a letter of its own.
func TestWhatAPublisherSaysOfLettersIsNotInTheLetter(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 1, lethe.WithRetry(1, time.Millisecond))
	c.fails.Store(true)
	m := &nats.Msg{Subject: "lethe.v1.log.shop.tag.a", Data: []byte("garbage"), Header: nats.Header{
		"Lethe-Reset": {"forged"}, "lethe-reset": {"forged"}, "Lethe-Letter": {"1"}, "Lethe-Event": {"x"}, "Nats-Msg-Id": {"mine"}, "X-Own": {"kept"},
	}}
	if _, err := c.js.PublishMsg(within(t), m); err != nil {
		t.Fatal(err)
	}
	letter := c.letter(1)
	for _, key := range []string{"Lethe-Reset", "lethe-reset", "Lethe-Letter", "Lethe-Event"} {
		if letter.Header.Get(key) != "" {
			t.Errorf("%s is in the letter: %v", key, letter.Header)
		}
	}
	if letter.Header.Get("X-Own") != "kept" || letter.Header.Get("Nats-Msg-Id") == "mine" || string(letter.Data) != "garbage" {
		t.Errorf("%v %s", letter.Header, letter.Data)
	}
	c.fails.Store(false)
	c.redrive(letter)
	if e := c.next("the letter"); e.Type == event.TypeReset || e.Targets[0] != event.TagPrefix("a:") {
		t.Errorf("%+v", e)
	}
}

func TestALettersErrorIsOneShortLine(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 1)
	if err := c.nodes[0].Receive("long", func(context.Context, event.Event) error {
		return &lethe.Error{Op: strings.Repeat("ä\r\n\x1b[1m", 4000), Name: "x", Err: errGone}
	}, lethe.OncePerFleet(), lethe.WithRetry(1, 0)); err != nil {
		t.Fatal(err)
	}
	attached(t, c.nodes[0], "long")
	c.say("x")
	s := must[jetstream.Stream](t)(c.js.Stream(within(t), "LETHE_SHOP_DEAD"))
	var text string
	until(t, "a letter", func() bool {
		m, err := s.GetLastMsgForSubject(within(t), "lethe.v1.dead.shop.long")
		if err == nil {
			text = m.Header.Get("Lethe-Error")
		}
		return err == nil
	})
	if len(text) > 1024 || len(text) < 900 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

// An event that kills every node it is handed to would go round for ever: none lives to say that it failed.
func TestAnEventThatIsHandedOutAgainAndAgainWithoutACallEndingBecomesALetter(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 2, lethe.WithRetry(1, time.Millisecond))
	other := c.nodes[1]
	if err := c.nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil { // the consumer stays
		t.Fatal(err)
	}
	n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{Conn: c.admin, Fleet: "shop"}))
	t.Cleanup(func() { _ = n.Close() })
	if err := n.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	must[event.Token](t)(n.Invalidate(within(t), event.Tag("a:b")))
	consumer := must[jetstream.Consumer](t)(c.js.Consumer(within(t), "LETHE_SHOP", "lethe-once-r"))
	for range 3 + 32 {
		m := must[jetstream.Msg](t)(consumer.Next())
		if err := m.Nak(); err != nil {
			t.Fatal(err)
		}
	}
	before := c.calls.Load()
	if err := n.Receive("r", func(context.Context, event.Event) error { c.calls.Add(1); return nil }, lethe.OncePerFleet(), lethe.WithRetry(1, 0)); err != nil {
		t.Fatal(err)
	}
	letter := c.letter(1)
	if text := letter.Header.Get("Lethe-Error"); !strings.Contains(text, "no call has ended") || c.calls.Load() != before {
		t.Errorf("%q after %d calls", text, c.calls.Load()-before)
	}
}
