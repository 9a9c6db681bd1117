package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// How often a node tells of itself: less often the more there are, so that a thousand nodes cost their servers little.
const (
	everyLeast  = 2 * time.Second
	everyMost   = time.Minute
	everyMember = 50 * time.Millisecond
)

// Config of a Fleet. All fields are required; of one that only asks: Conn, Fleet, Now, Logger and Longest.
type Config struct {
	Conn     *nats.Conn
	Fleet    string
	AskOnly  bool          // not a member: nothing is told, nothing is listened to
	Self     func() Member // this node now; Instance and EveryMs are filled in
	Instance string        // random, of this process and node
	// Wait returns nil when this node has applied the token, Reached whether it has, without I/O.
	Wait    func(context.Context, event.Token) error
	Reached func(event.Token) bool
	// Longest asks the stream for the fleet's longest horizon.
	Longest func(context.Context) (time.Duration, error)
	// Quiet says whether the stream had been silent for longer than the fleet's longest horizon when this node first saw it;
	// known: it has seen it.
	Quiet func() (quiet, known bool)
	// Horizon is the fleet's longest as last seen, without I/O; 0 = not seen yet.
	Horizon func() time.Duration
	Now     func() int64
	Logger  *slog.Logger
}

// Fleet is a node's place among the others. All methods are safe for concurrent use.
type Fleet struct {
	cfg    Config
	life   context.Context //nolint:containedctx // ends with Close
	end    context.CancelFunc
	wg     sync.WaitGroup
	subs   []*nats.Subscription
	waits  chan struct{} // one for each question that is waited for
	greets chan struct{} // a connection was greeted
	limits limits        // of answers

	doubled map[string]time.Duration // when a name that several bear was last logged; of run alone

	mu       sync.Mutex // guards what follows
	roster   roster
	absent   absences
	seasoned bool
	since    time.Duration // when it began to listen, on this connection
	closed   bool
}

// waitsMost is how many questions a node waits for at a time.
const waitsMost = 256

// Open subscribes and begins to tell of the node; it needs no server to return.
func Open(cfg Config) (*Fleet, error) {
	f := &Fleet{cfg: cfg, limits: newLimits(), doubled: make(map[string]time.Duration), waits: make(chan struct{}, waitsMost), greets: make(chan struct{}, 1)}
	f.life, f.end = context.WithCancel(context.Background())
	if cfg.AskOnly {
		return f, nil
	}
	self := f.self()
	f.roster.own = self.key()
	f.roster.hear(self, f.now())
	for subject, handle := range map[string]nats.MsgHandler{
		event.CtlSubject(cfg.Fleet, "presence.*"): f.heard,
		event.CtlSubject(cfg.Fleet, "barrier"):    f.asked,
	} {
		sub, err := cfg.Conn.Subscribe(subject, handle)
		if err == nil {
			f.subs = append(f.subs, sub)
			err = sub.SetPendingLimits(rosterMost, 16<<20)
		}
		if err != nil {
			f.unsubscribe()
			return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
		}
	}
	f.wg.Go(f.run)
	return f, nil
}

// Try subscribes once more, for a moment: where a permission is missing the server says so again, and this time the connection's
// error handler may be one that was not there yet.
func (f *Fleet) Try() {
	for _, s := range f.subs {
		if again, err := f.cfg.Conn.SubscribeSync(s.Subject); err == nil {
			_ = again.Unsubscribe()
		}
	}
}

func (f *Fleet) now() time.Duration { return time.Duration(f.cfg.Now()) }

// self is what this node tells of itself.
func (f *Fleet) self() Member {
	m := f.cfg.Self()
	m.Instance, m.EveryMs = f.cfg.Instance, f.every().Milliseconds()
	return m
}

func (f *Fleet) every() time.Duration {
	return min(max(time.Duration(f.size())*everyMember, everyLeast), everyMost)
}

// size is how many nodes are known of, this one included.
func (f *Fleet) size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return max(len(f.roster.members), 1)
}

// Greet tells of the node on a new connection. What is published after it on that connection comes after it everywhere.
func (f *Fleet) Greet() {
	if f.cfg.AskOnly {
		return
	}
	f.mu.Lock()
	f.seasoned, f.since = false, f.now() // who came while this node was away was not heard
	f.absent.since = f.since
	f.mu.Unlock()
	f.Announce()
	select {
	case f.greets <- struct{}{}:
	default:
	}
}

// Announce tells of the node now, because something about it has changed.
func (f *Fleet) Announce() {
	if f.cfg.AskOnly || f.life.Err() != nil {
		return
	}
	self := f.self()
	f.mu.Lock()
	f.roster.hear(self, f.now())
	f.mu.Unlock()
	f.say(presence{Member: self})
}

func (f *Fleet) say(p presence) {
	body, err := json.Marshal(p)
	if err == nil {
		err = f.cfg.Conn.Publish(Subject(f.cfg.Fleet, p.Node), body)
	}
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrReconnectBufExceeded) {
		f.cfg.Logger.Debug("could not tell of this node", "error", err)
	}
}

// Subject is where the node of that name tells of itself.
func Subject(fleet, node string) string { return event.CtlSubject(fleet, "presence."+node) }

// run tells of the node every so often, and sees to it that its roster can be trusted.
func (f *Fleet) run() {
	beat, season := time.NewTimer(everyLeast), time.NewTimer(0)
	defer beat.Stop()
	defer season.Stop()
	<-season.C
	for {
		select {
		case <-f.life.Done():
			return
		case <-f.greets:
			// After an outage of the bus all come back at once.
			season.Reset(rand.N(time.Duration(f.size()) * everyMember / 5)) //nolint:gosec // jitter is no secret
		case <-beat.C:
			f.Announce()
			f.look()
			every := f.every()
			beat.Reset(every - rand.N(every/5)) //nolint:gosec // jitter is no secret
		case <-season.C:
			if again := f.season(); again > 0 {
				season.Reset(again)
			}
		}
	}
}

// Who has just begun asks a few of the others for their roster, until one can be trusted. The more there are, the less often
// it asks: a question goes to all of them.
const (
	seasonFor  = 300 * time.Millisecond
	seasonMost = time.Second
	seasonFew  = 8
)

// season asks the others for their rosters; it returns when to do so again, 0: never.
func (f *Fleet) season() time.Duration {
	ctx, cancel := context.WithTimeout(f.life, seasonFor)
	defer cancel()
	p := f.poll()
	_ = f.ask(ctx, p, question{Few: seasonFew}, func() bool { return p.trusted && len(p.untold) == 0 })
	if ctx.Err() != nil && f.life.Err() != nil {
		return 0
	}
	quiet, known := f.cfg.Quiet()
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range p.voters {
		if v.gone {
			f.roster.bye(v.key(), now)
		} else {
			f.roster.tell(v.Member, now, time.Duration(v.SeenMs)*time.Millisecond)
		}
	}
	if p.trusted && len(p.untold) == 0 || known && quiet && !f.roster.full {
		f.seasoned = true
		return 0
	}
	if p.longest > 0 && now-f.since > p.longest {
		f.seasoned = true // who served then has been heard of, or has ended
		return 0
	}
	return seasonFor + rand.N(seasonMost-seasonFor+time.Duration(len(f.roster.members))*everyMember) //nolint:gosec // jitter is no secret
}

// poll begins a question with what this node knows.
func (f *Fleet) poll() *poll {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	return newPoll(now, f.roster.list(now), f.seasoned, f.roster.full)
}

// heard takes a node's word about itself.
func (f *Fleet) heard(msg *nats.Msg) {
	p, err := read[presence](msg.Data, maxQuestion)
	name := msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]
	if err != nil || p.Node != name || !p.legal() {
		return
	}
	every := f.every()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.absent.hears(f.now(), every)
	if p.Instance == f.cfg.Instance {
		return
	}
	if p.Gone {
		f.roster.bye(p.key(), f.now())
		return
	}
	f.roster.hear(p.Member, f.now())
}

// Close says goodbye and returns when everything has ended. It is idempotent. The node serves nothing any more.
func (f *Fleet) Close() {
	f.mu.Lock()
	first := !f.closed
	f.closed = true
	f.mu.Unlock()
	f.end()
	f.unsubscribe()
	f.wg.Wait()
	if !first || f.cfg.AskOnly || !f.cfg.Conn.IsConnected() {
		return
	}
	f.say(presence{Member: f.self(), Gone: true})
	_ = f.cfg.Conn.FlushTimeout(goodbyeFor)
}

// goodbyeFor bounds how long Close waits for the goodbye to have left.
const goodbyeFor = time.Second

func (f *Fleet) unsubscribe() {
	for _, s := range f.subs {
		_ = s.Unsubscribe()
	}
}
