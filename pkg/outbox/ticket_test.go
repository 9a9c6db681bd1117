package outbox

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/lethe-cache/lethe/pkg/event"
)

func TestATicketNamesItsRowsAndIsSafeInAURL(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, rowsMost} {
		ticket := newTicket(n)
		if got, err := ticket.rows(); got != n || err != nil {
			t.Errorf("%s: %d rows, %v", ticket, got, err)
		}
		if url.QueryEscape(string(ticket)) != string(ticket) || url.PathEscape(string(ticket)) != string(ticket) {
			t.Errorf("%s has to be escaped", ticket)
		}
	}
}

func TestAFleetOfTheLongestNameStandsInForAll(t *testing.T) {
	t.Parallel()
	if event.CheckFleet(anyFleet) != nil || event.CheckFleet(anyFleet+"x") == nil {
		t.Errorf("%q is not the longest name a fleet may have", anyFleet)
	}
}

func TestATicketsTokenCoversAllItsRowsWhateverOrderTheyAreStoredIn(t *testing.T) {
	t.Parallel()
	var known tickets
	known.init()
	ticket := newTicket(3)
	p := known.watch(ticket)
	for i, sequence := range []uint64{7, 9, 8} {
		select {
		case <-p.done:
			t.Fatalf("done after %d rows", i)
		default:
		}
		known.reached(ticket, strconv.Itoa(i), event.NewToken("shop", "E1", sequence))
		known.reached(ticket, strconv.Itoa(i), event.NewToken("shop", "E1", sequence)) // published twice
	}
	<-p.done
	if token, err := known.result(p); err != nil || token.Sequence() != 9 {
		t.Errorf("%s, %v", token, err)
	}
}

func TestTicketsOfThePastAreForgotten(t *testing.T) {
	t.Parallel()
	var known tickets
	known.init()
	for i := range 3 * ticketsMost {
		known.reached(newTicket(1), strconv.Itoa(i), event.NewToken("shop", "E1", 1))
	}
	if len(known.known) > ticketsMost {
		t.Errorf("%d tickets are kept", len(known.known))
	}
}

func FuzzATicketIsOneTextOrRefused(f *testing.F) {
	f.Add(string(newTicket(1)))
	f.Add(string(newTicket(rowsMost)))
	f.Add("ticket1..1")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Ticket(text).rows()
		switch {
		case text == "":
			if n != 0 || err != nil {
				t.Fatal(n, err)
			}
		case err != nil:
			if !errors.Is(err, event.ErrInvalid) || n != 0 {
				t.Fatal(n, err)
			}
		default:
			id, _, _ := strings.Cut(strings.TrimPrefix(text, ticketMark+"."), ".")
			if n < 1 || n > rowsMost || uuid.Validate(id) != nil || len(text) > 60 || strings.ToLower(text) != text {
				t.Fatalf("%q has %d rows", text, n)
			}
		}
	})
}

func FuzzARowIsPublishableOrParkedWhateverItSays(f *testing.F) {
	for _, seed := range [][2]string{
		{"tag.user", `{"specversion":"1.0","type":"dev.lethe.invalidated.v1","data":{"targets":[{"tag":"user:1"}]}}`},
		{"fn.catalog.price", `{"specversion":"1.0","type":"dev.lethe.invalidated.v1","data":{"targets":[{"function":"catalog.price","args":[1]}]}}`},
		{"manifest.chatbot.applied", `{"specversion":"1.0","type":"dev.lethe.manifest.applied.v1","data":{"kind":"Chatbot","namespace":"a","name":"b","action":"created","targets":[{"tag":"chatbot:a/b"}]}}`},
		{"all", `{"specversion":"1.0","reason":"x","type":"dev.lethe.invalidated.v1","data":{"targets":[{"all":true}]}}`},
		{"_sys.tick", ""},
		{"", "{}"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, subject, text string) {
		r := row{id: event.NewID(), subject: subject, event: text}
		e, _, err := r.read("shop")
		if err != nil {
			if !errors.Is(err, event.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		m, err := event.Encode("shop", e)
		if err != nil {
			t.Fatal(err)
		}
		if e.ID != r.id || e.Source != "/lethe/shop/outbox" || strings.Contains(m.Subject, "_sys") {
			t.Fatalf("%+v on %s", e, m.Subject)
		}
	})
}
