package outbox

import (
	"sync"

	"github.com/lethe-cache/lethe/pkg/event"
)

// ticketsMost is how many of the last tickets a process remembers; others are asked of the database.
const ticketsMost = 4096

// tickets is what this process knows of tickets: it is quicker than asking the database.
type tickets struct {
	mu     sync.Mutex // guards what follows
	known  map[Ticket]*progress
	recent []Ticket // a ring
	next   int
}

// progress of a ticket.
type progress struct {
	left    map[string]bool // rows that were reached, by their ids
	rows    int
	token   event.Token
	refused error
	forgot  bool // its targets, by the publisher
	ended   bool
	done    chan struct{} // closed when it has ended, however
}

func (t *tickets) init() {
	t.known, t.recent = make(map[Ticket]*progress), make([]Ticket, ticketsMost)
}

// of returns the progress of a ticket.
func (t *tickets) of(ticket Ticket) *progress {
	p := t.known[ticket]
	if p != nil {
		return p
	}
	rows, err := ticket.rows()
	if err != nil {
		rows = rowsMost + 1 // written by hand: nobody waits for it
	}
	p = &progress{rows: rows, done: make(chan struct{})}
	delete(t.known, t.recent[t.next]) // who waits for that one has its progress, and asks the database as well
	t.recent[t.next] = ticket
	t.next = (t.next + 1) % len(t.recent)
	t.known[ticket] = p
	return p
}

// watch returns a channel that is closed when the ticket's rows are stored or one is refused, as far as this process sees it.
func (t *tickets) watch(ticket Ticket) *progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of(ticket)
}

// result of a progress that is done.
func (t *tickets) result(p *progress) (event.Token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return p.token, p.refused
}

// forgot notes that the publisher has forgotten what a ticket announces.
func (t *tickets) forgot(p *progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.forgot = true
}

func (t *tickets) forgotten(p *progress) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return p.forgot
}

// reached notes that a row is stored.
func (t *tickets) reached(ticket Ticket, id string, token event.Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(ticket)
	if p.rows == 1 {
		p.token = token
		p.end()
		return
	}
	if p.left == nil {
		p.left = make(map[string]bool)
	}
	p.left[id] = true
	p.token = later(p.token, token)
	if len(p.left) == p.rows {
		p.end()
	}
}

// refused notes that a row is parked. It is not remembered: the row is tried again.
func (t *tickets) refused(ticket Ticket, why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(ticket)
	p.refused = why
	p.end()
	delete(t.known, ticket)
}

func (p *progress) end() {
	if !p.ended {
		p.ended = true
		close(p.done)
	}
}

// later is the token that covers both. Of two streams the later one's numbers are the higher ones: it begins above what it replaces.
func later(a, b event.Token) event.Token {
	if b.Sequence() > a.Sequence() || a.IsZero() {
		return b
	}
	return a
}
