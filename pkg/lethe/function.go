package lethe

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lethe-cache/lethe/internal/depend"
)

// function is what a node knows of a memoized function without its types.
type function struct {
	name   string
	former string
	hashed bool
	shape  []jsonKind // of its arguments
	ttl    time.Duration
	label  depend.Label

	inspect func(text string) (*entry, Tier, bool) // for Explain

	requests     [len(results)]counter
	loadsShared  atomic.Uint64
	loadsFenced  atomic.Uint64
	hotModified  atomic.Uint64
	loadSeconds  prometheus.Histogram
	herd         herd
	auditor      *auditor  // nil without WithAudit
	encodeFailed sync.Once // logs the first
}

// Results of a request, as metrics name them.
const (
	resultHit = iota
	resultMiss
	resultStale
	resultNegative
	resultBypass
	resultError
)

//nolint:gochecknoglobals // a constant table
var results = [...]string{"hit", "miss", "stale", "negative", "bypass", "error"}

// counter is striped over cache lines: hits of different keys on different cores do not meet.
type counter [8]struct {
	n atomic.Uint64
	_ [56]byte
}

func (c *counter) add(stripe uint64) { c[stripe&7].n.Add(1) }

func (c *counter) sum() (n uint64) {
	for i := range c {
		n += c[i].n.Load()
	}
	return n
}

// functions is the registry of a node. Reads are lock-free: the apply path asks it for every key of every event.
type functions struct {
	mu     sync.Mutex // serialises registration
	byName atomic.Pointer[map[string]*function]
}

// find returns the function that a target's name means, by its present or its former name.
func (fs *functions) find(name string) *function {
	m := fs.byName.Load()
	if m == nil {
		return nil
	}
	return (*m)[name]
}

// register adds f under both of its names, unless one is taken.
func (fs *functions) register(f *function) (taken string, ok bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	next := map[string]*function{}
	if m := fs.byName.Load(); m != nil {
		for n, g := range *m {
			next[n] = g
		}
	}
	for _, n := range []string{f.name, f.former} {
		if n == "" {
			continue
		}
		if next[n] != nil {
			return n, false
		}
		next[n] = f
	}
	fs.byName.Store(&next)
	return "", true
}

// all returns every function once.
func (fs *functions) all() []*function {
	m := fs.byName.Load()
	if m == nil {
		return nil
	}
	var all []*function
	for n, f := range *m {
		if n == f.name {
			all = append(all, f)
		}
	}
	return all
}
