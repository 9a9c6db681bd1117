package judge

import (
	"slices"
	"sync"
	"time"
)

// Config of a Judge.
type Config struct {
	Keys   int             // keys are 0 to Keys-1
	Bounds []time.Duration // of each node: its MaxStaleness
	// Limits are how long beyond the bound a function may serve stale; functions without stale serving are absent.
	Limits map[string]time.Duration
	// Composite functions read others: what they bring by a bypass may be what another read had from the cache.
	Composite map[string]bool
	// Delay is how long a read waits for news of its past before it is judged; 0 = 20 s.
	Delay time.Duration
	// Window is how much of a key's history on a node porcupine checks at a time; 0 = 10 s. Negative: it checks nothing.
	Window time.Duration
	// Report is called with every violation, not under any lock, and from whatever goroutine found it.
	Report func(Violation)
}

// keep is how long before the reads being judged the judge remembers.
const keep = 3 * time.Minute

// Judge takes a history as it happens. All methods are safe for concurrent use. Reads of one node have to be told in the order of
// their arrival; everything else in any order, so long as it is told within Delay.
type Judge struct {
	cfg Config

	mu     sync.Mutex // guards what follows
	keys   []keyPast
	nodes  []*nodePast
	ended  []*nodePast // earlier lives, with reads that were not judged yet
	counts Counts
	found  []Violation
}

// keyPast is what is known of a key whoever reads it.
type keyPast struct {
	begun, done  rising // commits, by their beginnings and ends
	seen, stamp  rising // stored
	hard         rising // stored and not soft, as seen
	recentWrites ring[Commit]
	recentStored ring[Stored]
}

// nodePast is what one life of a node knows and has read.
type nodePast struct {
	node    int
	life    int
	applied []appliedPast // by key
	waiting []arrival     // reads not judged yet
	windows []window      // by key
}

type appliedPast struct {
	all, hard rising
	recent    ring[Applied]
	reads     ring[Read]
}

type arrival struct {
	read Read
	at   int64
}

// New returns a Judge that knows nothing yet.
func New(cfg Config) *Judge {
	if cfg.Delay == 0 {
		cfg.Delay = 20 * time.Second
	}
	if cfg.Window == 0 {
		cfg.Window = 10 * time.Second
	}
	j := &Judge{cfg: cfg, keys: make([]keyPast, cfg.Keys), nodes: make([]*nodePast, len(cfg.Bounds))}
	for i := range j.nodes {
		j.nodes[i] = newNodePast(cfg.Keys, i, 0)
	}
	j.counts.Reads = map[string]map[Outcome]int64{}
	j.counts.Applied = map[string]int64{}
	return j
}

func newNodePast(keys, node, life int) *nodePast {
	return &nodePast{node: node, life: life, applied: make([]appliedPast, keys), windows: make([]window, keys)}
}

// past is what is known of a node in one of its lives; nil where all of that has been judged. With the lock held.
func (j *Judge) past(node, life int) *nodePast {
	if n := j.nodes[node]; n.life == life {
		return n
	}
	for _, n := range j.ended {
		if n.node == node && n.life == life {
			return n
		}
	}
	return nil
}

// Commit tells of a version written.
func (j *Judge) Commit(c Commit) {
	j.mu.Lock()
	defer j.mu.Unlock()
	k := &j.keys[c.Key]
	k.begun.add(c.Begin, c.Version)
	k.done.add(c.End, c.Version)
	k.recentWrites.add(c)
	j.counts.Commits++
}

// Stored tells of an acknowledged invalidation. It may be told again when more is known of it.
func (j *Judge) Stored(s Stored) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range s.Covers {
		k := &j.keys[c.Key]
		k.seen.add(s.Seen, c.Version)
		if !s.Soft {
			k.hard.add(s.Seen, c.Version)
		}
		if s.Stamp != 0 {
			k.stamp.add(s.Stamp, c.Version)
		}
		k.recentStored.add(s)
	}
}

// Applied tells what node has applied in one of its lives.
func (j *Judge) Applied(node, life int, a Applied) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := j.past(node, life)
	if n == nil {
		return
	}
	j.counts.Applied[a.How]++
	for _, c := range a.Covers {
		p := &n.applied[c.Key]
		p.all.add(a.End, c.Version)
		if !a.Soft {
			p.hard.add(a.End, c.Version)
		}
		p.recent.add(a)
		j.windowApplied(n, c, a)
	}
}

// Read takes a read that arrived at now; it is judged later.
func (j *Judge) Read(node, life int, r Read, now int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := j.nodes[node]; n.life == life {
		n.waiting = append(n.waiting, arrival{r, now})
	}
}

// Reborn tells that node begins life: what its process knew is gone. Reads of the life before are judged in their time: a write that
// the old process began may be told only when another one has found it.
func (j *Judge) Reborn(node, life int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = append(j.ended, j.nodes[node])
	j.nodes[node] = newNodePast(j.cfg.Keys, node, life)
	j.counts.Lives++
}

// Advance judges what arrived at least Delay before now, and forgets what is no longer needed.
func (j *Judge) Advance(now int64) {
	for node := range j.nodes {
		j.mu.Lock()
		n := j.nodes[node]
		j.judgeUntil(n, now-int64(j.cfg.Delay))
		j.closeWindows(n, now-int64(j.cfg.Delay))
		for k := range n.applied {
			n.applied[k].all.forget(now - int64(j.cfg.Delay+keep))
			n.applied[k].hard.forget(now - int64(j.cfg.Delay+keep))
		}
		found := j.take()
		j.mu.Unlock()
		j.report(found)
	}
	j.mu.Lock()
	j.ended = slices.DeleteFunc(j.ended, func(n *nodePast) bool {
		j.judgeUntil(n, now-int64(j.cfg.Delay))
		if len(n.waiting) > 0 {
			return false
		}
		j.closeWindows(n, 1<<62)
		return true
	})
	found := j.take()
	for i := range j.keys {
		for _, r := range []*rising{&j.keys[i].begun, &j.keys[i].done, &j.keys[i].seen, &j.keys[i].stamp, &j.keys[i].hard} {
			r.forget(now - int64(j.cfg.Delay+keep))
		}
	}
	j.mu.Unlock()
	j.report(found)
}

// judgeUntil judges the reads of n that arrived until then; with the lock held.
func (j *Judge) judgeUntil(n *nodePast, until int64) {
	i := 0
	for ; i < len(n.waiting) && n.waiting[i].at <= until; i++ {
		j.judge(n, n.waiting[i].read)
	}
	n.waiting = append(n.waiting[:0], n.waiting[i:]...)
}

// Finish judges all there is.
func (j *Judge) Finish() { j.Advance(1<<62 + int64(j.cfg.Delay)) }

// Refused tells of a token that a node refused although the stream had acknowledged it, and of other promises found broken
// by who drives the run.
func (j *Judge) Refused(v Violation) {
	j.mu.Lock()
	j.counts.Violations++
	j.mu.Unlock()
	j.report([]Violation{v})
}

// Counts returns what was judged so far.
func (j *Judge) Counts() Counts {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts.clone()
}

func (j *Judge) take() []Violation {
	found := j.found
	j.found = nil
	return found
}

func (j *Judge) report(found []Violation) {
	for _, v := range found {
		if j.cfg.Report != nil {
			j.cfg.Report(v)
		}
	}
}
