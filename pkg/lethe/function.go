package lethe

import (
	"encoding/binary"
	"maps"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/pkg/event"
)

// function is what a node knows of a memoized function without its types.
type function struct {
	name   string
	former string
	hashed bool
	shape  []jsonKind   // of its arguments
	form   form         // of its keys
	like   event.Target // a hashed key of this form; zero where it isn't known
	ttl    time.Duration
	label  depend.Label

	inspect func(text string) (*entry, Tier, bool) // for Explain

	requests      counts
	loadsShared   atomic.Uint64
	loadsFenced   atomic.Uint64
	hotModified   atomic.Uint64
	loadSeconds   histogram
	usual         usual
	deadlines     deadlines
	herd          herd
	auditor       *auditor      // nil without WithAudit
	encodeFailed  sync.Once     // logs the first value that could not be encoded
	decodeFailed  sync.Once     // logs the first that could not be decoded
	collapsed     atomic.Uint64 // loads whose labels were too many for an entry
	collapsedOnce sync.Once     // logs the first
	differs       sync.Once     // logs the first that would come back different
	tooLarge      [2]sync.Once  // logs the first for bulk, and for the hot tier
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

// counts are how many requests were answered how: one cache line for all results, several times over, so that goroutines that read at
// the same time do not meet.
type counts [8]struct {
	n [len(results)]atomic.Uint64
	_ [64 - 8*len(results)]byte
}

// add counts one. The address of a variable tells goroutines apart, since each has a stack of its own: a stripe by the key would
// have all of them write all stripes.
func (c *counts) add(result int) {
	var here byte
	at := uint64(uintptr(unsafe.Pointer(&here))) >> 11 * 0x9e3779b97f4a7c15 >> 61 //nolint:gosec // a number; nothing is read through it
	c[at].n[result].Add(1)
}

func (c *counts) sum(result int) (n uint64) {
	for i := range c {
		n += c[i].n[result].Load()
	}
	return n
}

// histogram is made when there is something to observe: it is a large part of what a function takes.
type histogram struct {
	h atomic.Pointer[prometheus.Histogram]
}

func (l *histogram) of(name string) prometheus.Histogram {
	if h := l.h.Load(); h != nil {
		return *h
	}
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "lethe", Name: "load_seconds", Help: "How long loads took.",
		ConstLabels: prometheus.Labels{"function": name},
		Buckets:     []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5, 10, 30},
	})
	l.h.CompareAndSwap(nil, &h)
	return *l.h.Load()
}

// functions is the registry of a node, and who runs their loads. Reads are lock-free but for the first after a registration: the apply
// path asks for every key of every event.
type functions struct {
	mu     sync.Mutex                           // guards latest
	latest map[string]*function                 // by both names
	byName atomic.Pointer[map[string]*function] // what latest was; nil when it has changed since
	made   atomic.Uint64
	// renamed says that one of them has a former name.
	renamed atomic.Bool

	loaders loaders
}

// find returns the function that a target's name means, by its present or its former name.
func (fs *functions) find(name string) *function { return fs.names()[name] }

// names is a copy of the registry, made when it is asked for: a thousand functions registered in a row are copied once.
func (fs *functions) names() map[string]*function {
	if m := fs.byName.Load(); m != nil {
		return *m
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	m := fs.byName.Load()
	if m == nil {
		c := maps.Clone(fs.latest)
		m = &c
		fs.byName.Store(m)
	}
	return *m
}

// prefix begins the texts of one function: its number, written so that none is the beginning of another.
func (fs *functions) prefix() string {
	return string(binary.AppendUvarint(nil, fs.made.Add(1)))
}

// register adds f under both of its names, unless one is taken.
func (fs *functions) register(f *function) (taken string, ok bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.latest == nil {
		fs.latest = map[string]*function{}
	}
	names := []string{f.name}
	switch f.former {
	case "":
	case f.name:
		return f.name, false
	default:
		names = append(names, f.former)
		fs.renamed.Store(true)
	}
	for _, n := range names {
		if fs.latest[n] != nil {
			return n, false
		}
	}
	for _, n := range names {
		fs.latest[n] = f
	}
	fs.byName.Store(nil)
	return "", true
}

// all returns every function once.
func (fs *functions) all() []*function {
	var all []*function
	for n, f := range fs.names() {
		if n == f.name {
			all = append(all, f)
		}
	}
	return all
}
