package lethe

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Option of a memoized function.
type Option interface{ applyFunc(*settings) }

type optionFunc func(*settings)

func (f optionFunc) applyFunc(s *settings) { f(s) }

type settings struct {
	ttl, stale, timeout time.Duration
	refreshAhead        float64
	negativeTTL         time.Duration
	negative            []error
	tags, batch         any // typed by K and V; checked in Memoize
	codec               Codec
	withoutHot          bool
	withoutBulk         bool
	policy              Policy
	formerName          string
	hashed              bool
	audit               float64
	errs                []error
}

func (s *settings) refuse(option, format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("%s: "+format, append([]any{option}, args...)...))
}

// WithTTL is how long a value is fresh, counted from the beginning of its load, less up to 10 % of jitter. Default and upper
// bound: Config.MaxTTL (less WithStale's time, where only that is given).
func WithTTL(d time.Duration) Option {
	return optionFunc(func(s *settings) {
		if s.ttl = d; d <= 0 {
			s.refuse("WithTTL", "%v is not positive", d)
		}
	})
}

// WithStale serves the old value while one load runs or fails, after expiry or a soft invalidation, until load start + TTL + d and never
// past MaxTTL. An error named in WithNegative is an answer, not a failed load. Without a lease no refresh is started.
func WithStale(d time.Duration) Option {
	return optionFunc(func(s *settings) {
		if s.stale = d; d <= 0 {
			s.refuse("WithStale", "%v is not positive", d)
		}
	})
}

// WithRefreshAhead starts a load in the background when a value is read that is older than this fraction of its life, 0 to 1.
func WithRefreshAhead(fraction float64) Option {
	return optionFunc(func(s *settings) {
		if s.refreshAhead = fraction; !(fraction > 0 && fraction < 1) {
			s.refuse("WithRefreshAhead", "%v is not between 0 and 1", fraction)
		}
	})
}

// WithNegative remembers for ttl that a load failed with one of errs (errors.Is), and returns an error that is that one. GetMany
// takes such an error as the answer that there is none, and the key is absent from its map. What a batch leaves out is remembered as
// well, for GetMany only: Get calls its own loader, which may say so with one of errs. A batch loader that returns one of errs says so of
// its whole batch: GetMany answers that every key of it is absent, and remembers that. A value that was made from what is remembered
// here can be kept. What is remembered is which of errs it was, and not the text that wrapped it: a later read returns the one of errs
// itself.
func WithNegative(ttl time.Duration, errs ...error) Option {
	return optionFunc(func(s *settings) {
		s.negativeTTL, s.negative = ttl, errs
		if ttl <= 0 {
			s.refuse("WithNegative", "%v is not positive", ttl)
		}
		if len(errs) == 0 || len(errs) >= negativeAbsent {
			s.refuse("WithNegative", "name 1 to 254 errors to remember")
		}
		if i := slices.Index(errs, nil); i >= 0 {
			s.refuse("WithNegative", "error %d is nil: name what the loader returns for a key that has no value, like sql.ErrNoRows", i+1)
		}
	})
}

// WithTags names tags by key and value; for Memoize only (elsewhere AddTags in the loader). It applies to Fill and batches too.
// An entry keeps the labels of at least 64 tags of up to four levels: 512 labels, of which a tag is one, and one for each place where a prefix
// that covers it may end (user:42/orders has three). With more it is collapsed: any event about the same families and functions makes it
// stale. That is logged once a function and counted in lethe_loads_collapsed_total.
func WithTags[K comparable, V any](f func(K, V) []string) Option {
	return optionFunc(func(s *settings) {
		if s.tags = f; f == nil {
			s.refuse("WithTags", "nil function")
		}
	})
}

// WithBatch lets GetMany load what is missing in one call. Keys absent from the map it returns are absent from GetMany's; with
// WithNegative that is remembered. An error that WithNegative names makes every key of the batch absent: for one key leave it out of
// the map, and keep such errors for a source that has none of them. For Memoize only. In a batch loader AddTags, SetTTL and NoStore apply to every key of the batch.
func WithBatch[K comparable, V any](load func(context.Context, []K) (map[K]V, error)) Option {
	return optionFunc(func(s *settings) {
		if s.batch = load; load == nil {
			s.refuse("WithBatch", "nil function")
		}
	})
}

// WithCodec replaces msgpack as the encoding of values in the bulk tier: JSON(), Proto(), or one of your own, which Memoize tries
// with a zero value (of a pointer, what it points to; an empty slice or map): it panics for one that can't write it behind what dst
// holds already, or read it back. A value that the
// codec can't write later is returned and not stored, and the first is logged. WithoutHot says what callers get that share its load.
func WithCodec(c Codec) Option {
	return optionFunc(func(s *settings) {
		if s.codec = c; c == nil {
			s.refuse("WithCodec", "nil codec")
		}
	})
}

// WithoutHot gives every caller its own decoded copy. Callers that share a load each get a copy by the codec. Where a value can't be
// copied faithfully (the codec can't write it, or it would come back different), only the caller that leads the load has it: each of
// the others loads for itself, at the same time, within Config.MaxLoads after a Reset.
func WithoutHot() Option { return optionFunc(func(s *settings) { s.withoutHot = true }) }

// WithoutBulk keeps decoded values only: for what no codec can carry (templates, compiled rules). Bounded by MaxHot and MaxHotBytes (see there how they
// are weighed, and what the weight does not see: parts of a larger text or slice, which strings.Clone and slices.Clone cut loose, and emptied maps).
func WithoutBulk() Option { return optionFunc(func(s *settings) { s.withoutBulk = true }) }

// WithTimeout bounds one load below Config.MaxLoad.
func WithTimeout(d time.Duration) Option {
	return optionFunc(func(s *settings) {
		if s.timeout = d; d <= 0 {
			s.refuse("WithTimeout", "%v is not positive", d)
		}
	})
}

// WithPolicy says what happens without a lease; Bypass() is the default.
func WithPolicy(p Policy) Option {
	return optionFunc(func(s *settings) {
		if s.policy = p; p.limit < 0 {
			s.refuse("WithPolicy", "ServeStale(%v) is negative", p.limit)
		}
	})
}

// WithFormerName carries a function through a rolling rename: this node also obeys targets that use the old name, and whatever it
// publishes of one name it publishes of both (Func.Invalidate, Node.Invalidate, Node.Publish, the relay of an outbox), so replicas
// that only know the old name forget as well. docs/rolling-deploys.md has the steps.
func WithFormerName(name string) Option {
	return optionFunc(func(s *settings) {
		s.formerName = name
		if err := event.CheckFunction(name); err != nil {
			s.errs = append(s.errs, fmt.Errorf("WithFormerName: %w", err))
		}
	})
}

// WithHashedKeys keeps the arguments off the bus: events carry a hash of the key. Writers by event.Name add Target.Hashed. With a
// float32 among the arguments each such event forgets the whole function: whether a publisher hashed its shortest form or the double
// that it is, a hash does not tell.
func WithHashedKeys() Option { return optionFunc(func(s *settings) { s.hashed = true }) }

// WithAudit checks this fraction of the function's keys, over 0 to 1, against the loader: 1 s, 10 s and 60 s after an event that
// concerned a key was applied, what the node would serve for it is compared with what the loader brings. It is a checker as
// Meta's Polaris is. The result is counted in lethe_audit_checks_total as consistent, stale or error, by age; the share that is
// not stale is the consistency of the fleet in nines. A difference counts only if the same entry is served still when the node
// has provably applied all that the stream had two seconds later, and the loader brings the same again; then the event, the
// entry and the node are logged, and no value. The loader is called beside the cache, with a context that has nobody's values
// and bypasses, once or twice a check and three times before a value is called stale. All nodes check the same keys, at most
// 1,024 a function (those of the lowest hash), one at a time, and four a node. Without a lease nothing is checked.
func WithAudit(rate float64) Option {
	return optionFunc(func(s *settings) {
		if s.audit = rate; !(rate > 0 && rate <= 1) {
			s.refuse("WithAudit", "%v is not over 0 and at most 1", rate)
		}
	})
}

// newSettings applies opts and checks them against each other and the node's limits.
func newSettings(maxTTL, maxLoad time.Duration, opts []Option) (*settings, error) {
	s := &settings{}
	for _, o := range opts {
		if o == nil {
			s.refuse("options", "nil Option")
			continue
		}
		o.applyFunc(s)
	}
	switch {
	case s.ttl > maxTTL:
		s.refuse("WithTTL", "%v is over Config.MaxTTL %v", s.ttl, maxTTL)
	case s.ttl == 0 && s.stale >= maxTTL:
		s.refuse("WithStale", "%v leaves nothing of Config.MaxTTL %v to be fresh in; give WithTTL too", s.stale, maxTTL)
	case s.ttl == 0:
		s.ttl = maxTTL - s.stale
	}
	// Nothing lives past MaxTTL; what is longer means "as long as may be", and must not overflow a sum.
	s.stale, s.policy.limit = min(s.stale, maxTTL), min(s.policy.limit, maxTTL)
	if s.negativeTTL > maxTTL {
		s.refuse("WithNegative", "%v is over Config.MaxTTL %v", s.negativeTTL, maxTTL)
	}
	if s.timeout == 0 || s.timeout > maxLoad {
		s.timeout = maxLoad
	}
	if s.withoutHot && s.withoutBulk {
		s.refuse("WithoutHot", "with WithoutBulk nothing is left to keep values in")
	}
	if s.withoutBulk && s.codec != nil {
		s.refuse("WithCodec", "has no use with WithoutBulk")
	}
	return s, errors.Join(s.errs...)
}

// onlyMemoize refuses what is for functions of one argument: the keys of the others have no type that a caller could name.
func (s *settings) onlyMemoize() {
	if s.tags != nil {
		s.errs = append(s.errs, errors.New("WithTags is for Memoize only; use AddTags in the loader"))
	}
	if s.batch != nil {
		s.errs = append(s.errs, errors.New("WithBatch is for Memoize only; Memoize a function of one struct that has the arguments"))
	}
	s.tags, s.batch = nil, nil
}

// typed returns an option's function as the type that K and V of the function ask for.
func typed[F any](s *settings, option string, f any) F {
	var zero F
	if f == nil {
		return zero
	}
	t, ok := f.(F)
	if !ok {
		s.refuse(option, "is %v, the function needs %v", reflect.TypeOf(f), reflect.TypeFor[F]())
	}
	return t
}
