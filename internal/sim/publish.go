package sim

import "github.com/lethe-cache/lethe/internal/cursor"

// publishing is one event on its way into the stream.
type publishing struct {
	n       *node
	rng     rnd
	m       message
	batch   *batch   // of group commit; nil: a relay's, or a noise
	relay   *relayed // whose it is
	began   int64
	offline int64
	tries   int

	view   cursor.View
	ticket cursor.Ticket
	conn   uint64
	stored *message
	dup    bool
	no     bool // the server says that it can't
	info   cursor.Info
	infoOK bool
}

// Codes of a publishing.
const (
	publishTry = iota
	publishServer
	publishBack
	publishLate
	publishAsk // of which stream was it?
	publishTold
)

func (p *publishing) act(code int) {
	n := p.n
	switch code {
	case publishTry:
		p.try()
	case publishServer:
		p.serve()
	case publishBack:
		switch {
		case !p.through(), p.no:
			p.again()
		default:
			p.acked()
		}
	case publishLate:
		p.again()
	case publishAsk:
		if !p.through() || !n.w.server.led(&n.h.link) {
			p.late(publishTold)
			return
		}
		p.info, p.infoOK = n.w.server.ask(&n.h.link)
		p.hop(n, publishTold)
	case publishTold:
		if !p.infoOK || p.info.Last < p.stored.seq {
			p.end(token{}, false)
			return
		}
		p.end(token{epoch: p.info.Epoch, seq: p.stored.seq, m: p.stored}, true)
	}
}

func (p *publishing) through() bool {
	l := &p.n.h.link
	return !p.n.dead && l.alive && l.num == p.conn
}

func (p *publishing) hop(in *node, code int) {
	if d, ok := p.n.h.hop(&p.rng); ok {
		p.n.w.at(p.n.w.now+d, in, p, code)
		return
	}
	if code == publishAsk || code == publishTold {
		p.late(publishTold)
	} else {
		p.late(publishLate)
	}
}

func (p *publishing) late(code int) {
	p.n.w.at(p.n.w.now+p.rng.span(5*msec, 2*sec), p.n, p, code)
}

func (p *publishing) wanted() bool { return p.batch == nil || p.n.commits.Wanted(p.batch) }

func (p *publishing) try() {
	n := p.n
	if !p.wanted() || n.w.now-p.began > 5*sec {
		p.end(token{}, false)
		return
	}
	p.tries++
	if !n.h.link.up {
		pause := p.rng.span(msec, 100*msec)
		if p.offline += pause; p.offline > sec {
			p.end(token{}, false)
			return
		}
		n.w.at(n.w.now+pause, n, p, publishTry)
		return
	}
	p.view, p.conn, p.no = n.view, n.h.link.num, false
	p.ticket = p.view.Sending(n.h.mono())
	p.hop(nil, publishServer)
}

func (p *publishing) again() {
	p.n.w.count.Retries++
	p.n.w.at(p.n.w.now+p.rng.span(msec, 100*msec), p.n, p, publishTry)
}

func (p *publishing) serve() {
	s, link := &p.n.w.server, &p.n.h.link
	if !p.through() || !s.led(link) {
		p.late(publishLate)
		return
	}
	log := s.side(link)
	switch {
	case log == nil:
		p.no = true
	case !log.quorum:
		have := log.ids[p.m.id]
		if p.m.id == 0 || have == nil {
			p.late(publishLate)
			return
		}
		p.stored, p.dup = have, true
	default:
		p.stored, p.dup = s.store(p.m)
	}
	p.hop(p.n, publishBack)
}

// acked has the proof. An ack at or below what was known when it was sent comes from a stream that is not the one the node
// knows: its epoch has to be read before there is a token.
func (p *publishing) acked() {
	p.n.tell(report{acked: true, ticket: p.ticket, seq: p.stored.seq, dup: p.dup})
	if p.view.Epoch == "" || !p.dup && p.stored.seq <= p.ticket.Known() {
		p.infoOK = false
		p.hop(nil, publishAsk)
		return
	}
	p.end(token{epoch: p.view.Epoch, seq: p.stored.seq, m: p.stored}, true)
}

func (p *publishing) end(t token, ok bool) {
	if !ok {
		p.n.w.count.Unpublished++
	}
	switch {
	case p.batch != nil:
		p.n.sent(p, t, ok)
	case p.relay != nil:
		p.relay.look(p, t, ok)
	}
}
