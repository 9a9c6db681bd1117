package lethe

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"reflect"
	"time"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/internal/flight"
	"github.com/lethe-cache/lethe/pkg/event"
)

// core is a memoized function of one key type; Func, Func0, Func2 and Func3 are its faces.
type core[K comparable, V any] struct {
	*function
	n     *Node
	s     *settings
	load  func(context.Context, K) (V, error)
	batch func(context.Context, []K) (map[K]V, error)
	tags  func(K, V) []string
	codec Codec

	canon  func(dst []byte, k K) ([]byte, error) // appends the canonical key
	byText bool                                  // K is keyed by its text everywhere: Go's == is not the identity
	quick  bool                                  // a hot hit needs K only
	nils   bool                                  // V can be nil
	seed   maphash.Seed
	prefix string // of this function's texts
	group  *flight.Group[string, *outcome[V]]

	sampled uint64 // WithAudit: up to which hash of its text a key is
}

// hotEntry is a decoded value. What a hit touches stands first: with a string for a key and a pointer for a value it is 48 bytes, and
// the whole is 256, so that an entry is one object, four cache lines, of which a hit reads one.
type hotEntry[K comparable, V any] struct {
	c     *core[K, V]
	memo  fence.Memo
	until int64 // Expires; 0 for a remembered error, which is not what a hit returns
	key   K
	value V

	entry
	more *hotMore // nil where there is nothing
	room [17]uint64
}

// hotMore is what few entries have.
type hotMore struct {
	text  string // instead of the key, where that is the identity
	bytes []byte // the encoded value, of a sample of entries; nil where not sampled
}

// signature is what a face knows of its arguments.
type signature[K comparable] struct {
	canon func(dst []byte, k K) ([]byte, error)
	types []reflect.Type
}

// memoize registers a function. It panics on what only a programmer can mend.
func memoize[K comparable, V any](n *Node, name string, sig signature[K], load func(context.Context, K) (V, error), opts []Option) *core[K, V] {
	c, err := newCore(n, name, sig, load, opts)
	if err != nil {
		panic((&Error{Op: "memoize", Name: name, Err: err}).Error())
	}
	return c
}

func newCore[K comparable, V any](n *Node, name string, sig signature[K], load func(context.Context, K) (V, error), opts []Option) (*core[K, V], error) {
	switch {
	case n == nil:
		return nil, errors.New("nil Node")
	case n.cfg.PublishOnly:
		return nil, errors.New("the node is PublishOnly: it has no memory")
	case load == nil:
		return nil, errors.New("nil loader")
	}
	if err := event.CheckFunction(name); err != nil {
		return nil, err
	}
	s, err := newSettings(n.cfg.MaxTTL, n.cfg.MaxLoad, opts)
	if err != nil {
		return nil, err
	}
	c := &core[K, V]{n: n, s: s, load: load, canon: sig.canon, codec: s.codec, seed: maphash.MakeSeed()}
	if len(sig.types) != 1 {
		s.onlyMemoize()
	}
	c.batch = typed[func(context.Context, []K) (map[K]V, error)](s, "WithBatch", s.batch)
	c.tags = typed[func(K, V) []string](s, "WithTags", s.tags)
	if err := errors.Join(s.errs...); err != nil {
		return nil, err
	}
	f := &function{name: name, former: s.formerName, hashed: s.hashed, ttl: s.ttl, label: depend.Function(name)}
	for _, t := range sig.types {
		text, err := checkKey(t)
		if err != nil {
			return nil, err
		}
		c.byText = c.byText || text
		f.shape = append(f.shape, kindOf(t))
	}
	f.setForm(sig.types, n.log)
	if c.codec == nil {
		c.codec = msgpackFor(reflect.TypeFor[V]())
	}
	if !s.withoutBulk {
		if err := checkValue(reflect.TypeFor[V](), c.codec); err != nil {
			return nil, err
		}
		if s.codec != nil {
			if err := tried[V](n, name, c.codec); err != nil {
				return nil, err
			}
		}
	}
	f.inspect = c.inspect
	f.herd.most = n.cfg.MaxLoads
	if err := n.openTiers(); err != nil {
		return nil, err
	}
	c.function = f
	c.quick = !c.byText && !s.withoutHot
	c.nils = nilable(reflect.TypeFor[V]().Kind())
	c.startAudit()
	c.prefix = n.functions.prefix()
	c.group = flight.NewGroup[string, *outcome[V]](&n.graph, n.fence.Clock, c.fenced)
	if taken, ok := n.functions.register(f); !ok {
		return nil, fmt.Errorf("the name %q is taken on this node", taken)
	}
	if s.policy.limit > 0 {
		n.serveFor(s.policy.limit)
	}
	c.runAudit()
	return c, nil
}

// hotKey is where k stands in the hot tier. text is asked of a K that is keyed by it.
func (c *core[K, V]) hotKey(k K, text []byte) uint64 {
	if c.byText {
		return maphash.Bytes(c.seed, text)
	}
	return maphash.Comparable(c.seed, k)
}

// findHot returns the decoded value of k, in whatever state it is.
func (c *core[K, V]) findHot(hash uint64, k K, text []byte) *hotEntry[K, V] {
	item, ok := c.n.tiers.hot.GetIfPresent(hash)
	if !ok {
		return nil
	}
	e, ok := item.(*hotEntry[K, V])
	if !ok || e.c != c || c.byText && e.more.text != string(text) || !c.byText && e.key != k {
		return nil
	}
	return e
}

// text is what identifies k on this node, in the bulk tier and among flights: the function's number and the canonical key. It stands in
// buf, and is written once. It has at most event.MaxKey bytes and the prefix: bigcache has 16 bits for the length of a key.
func (c *core[K, V]) text(buf *[]byte, k K) (text []byte, err error) {
	if len(*buf) > 0 {
		return *buf, nil
	}
	b := append(*buf, c.prefix...)
	if c.byText { // the key's own method writes it
		err = c.guard("key", func() (err error) { b, err = c.canon(b, k); return err })
	} else {
		b, err = c.canon(b, k)
	}
	if err == nil && len(b)-len(c.prefix) > event.MaxKey {
		err = event.FromCanonical(c.name, string(b[len(c.prefix):])).Err()
	}
	if err != nil {
		return nil, &Error{Op: "get", Name: c.name, Err: c.n.keyPanic(c.name, err)}
	}
	*buf = b
	return b, nil
}

// textOf is text as a string of its own.
func (c *core[K, V]) textOf(k K) (string, error) {
	buf := buffer()
	defer release(buf)
	text, err := c.text(buf, k)
	return string(text), err
}

// fenced reports whether no value of a text that was born at start is valid any more, whatever else it depends on.
func (c *core[K, V]) fenced(text string, start uint64) bool {
	return c.n.fence.Check(start, c.keyLabel(c.canonical(text)).Hash, c.label.Hash, allHash) != fence.Fresh
}

// canonical is the canonical key in a text.
func (c *core[K, V]) canonical(text string) string { return text[len(c.prefix):] }

// life of a load's result: when it is fresh until, and when it ends. ttl is already jittered.
func (c *core[K, V]) span(start int64, ttl, stale time.Duration, read int64) (expires, end int64) {
	ttl = min(ttl, c.n.cfg.MaxTTL)
	end = start + int64(min(ttl+stale, c.n.cfg.MaxTTL))
	return min(start+int64(ttl), read), end
}
