package lethe

import (
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/pkg/event"
)

const (
	// auditSettles is how long after an unequal pair was seen an invalidation may still enter the stream: the source is changed
	// first, and then it is said.
	auditSettles = int64(2 * time.Second)
	// auditRetries is how often it is looked whether the node has proof that it is past that moment.
	auditRetries = int64(250 * time.Millisecond)
)

var errUnsteady = errors.New("two loads of one key, one right after the other, bring different values")

// startAudit begins the audit of a function WithAudit.
func (c *core[K, V]) startAudit() {
	if c.s.audit == 0 {
		return
	}
	c.sampled = ^uint64(0)
	if c.s.audit < 1 {
		c.sampled = uint64(c.s.audit * (1 << 64))
	}
	c.auditor = &auditor{sample: newSample(maxAudited), timeout: 2 * c.s.timeout}
}

// runAudit begins the checks, once the function is registered.
func (c *core[K, V]) runAudit() {
	if a := c.auditor; a != nil {
		slots := c.n.audits.add(a)
		c.n.goLoad(func() { a.work(c.n, slots, c.check) })
	}
}

// auditStored samples the key of what was stored, by the hash of its name and canonical key: the same keys on all nodes.
func (c *core[K, V]) auditStored(k K, text string, l *fence.Life) {
	if c.auditor == nil {
		return
	}
	if hash := xxhash.Sum64String(c.name + "\x00" + c.canonical(text)); hash <= c.sampled {
		c.auditor.sample.stored(k, text, hash, l, c.n.now())
	}
}

// check makes one check and counts it. It runs on a goroutine of its own: user code may end that.
func (c *core[K, V]) check(chk *auditCheck) {
	v, err := auditError, errGoexit
	defer func() {
		if v == auditNone || c.n.stop.Err() != nil {
			return
		}
		c.auditor.counts[chk.age][v].Add(1)
		if v == auditError {
			args := []any{"function", c.name, "error", err}
			if p := new(PanicError); errors.As(err, &p) {
				args = append(args, "stack", string(p.Stack))
			}
			c.n.warn("audit:"+c.name, "lethe: a key could not be audited", args...)
		}
	}()
	err = c.guard("", func() (err error) {
		k, _ := chk.key.(K)
		if chk.doubt == nil {
			v, err = c.examine(chk, k)
		} else {
			v, err = c.confirm(chk, k)
		}
		return err
	})
	if err != nil {
		v = auditError
	}
}

// examine compares what would be served with what the loader brings. Where they differ nothing is said yet: the source may have
// changed a moment ago, with its event on the way.
func (c *core[K, V]) examine(chk *auditCheck, k K) (verdict, error) {
	have, ok := c.look(k, chk.text)
	if !ok {
		if chk.age == len(auditAges)-1 {
			c.auditor.sample.forget(chk.audited)
		}
		return auditNone, nil
	}
	got, err := c.bring(k, have.negative)
	if err != nil {
		return auditError, err
	}
	same, err := c.same(&have, &got)
	if same || err != nil {
		return auditConsistent, err
	}
	now := c.n.now()
	chk.doubt = &doubt{Life: have.Life, since: now}
	c.auditor.sample.suspect(chk, now+auditSettles)
	return auditNone, nil
}

// confirm decides about a pair that differed, once the lease proves that the node has applied everything which the stream had two
// seconds later. If the same entry is served even then, and a load still brings something else, nobody has said what changed, or
// the node has not obeyed.
func (c *core[K, V]) confirm(chk *auditCheck, k K) (verdict, error) {
	d, now := chk.doubt, c.n.now()
	if asOf := c.n.lease.Load() - int64(c.n.cfg.MaxStaleness); asOf < d.since+auditSettles {
		if now < d.since+auditSettles+2*int64(c.n.cfg.MaxStaleness) { // after that it is an outage, and nothing is audited
			c.auditor.sample.suspect(chk, now+auditRetries)
		}
		return auditNone, nil
	}
	have, ok := c.look(k, chk.text)
	if !ok || have.Birth != d.Birth || have.Start != d.Start {
		if c.n.fence.Check(d.Birth, d.Labels...) == fence.Fresh {
			return auditNone, nil // expired, evicted or loaded again: what it was can't be told any more
		}
		return auditConsistent, nil // the event came
	}
	got, err := c.bring(k, have.negative)
	if err != nil {
		return auditError, err
	}
	if same, err := c.same(&have, &got); same || err != nil {
		return auditConsistent, err
	}
	again, err := c.bring(k, have.negative)
	if err != nil {
		return auditError, err
	}
	if same, err := c.same(&got, &again); !same || err != nil {
		return auditError, errors.Join(err, errUnsteady)
	}
	c.reportStale(chk, &have)
	return auditStale, nil
}

// reportStale logs all that is known of a stale entry, but no value.
func (c *core[K, V]) reportStale(chk *auditCheck, have *sight[V]) {
	n, key := c.n, c.canonical(chk.text)
	if !n.metrics.logged.allow("stale:"+chk.text, n.now()) {
		return
	}
	names := c.labelNames(key, have.labels())
	if c.hashed {
		key = event.HashKey(key)
	}
	why, applied := c.auditor.sample.why(chk.audited)
	at := func(t int64) time.Time { return n.base.Add(time.Duration(t)) }
	n.log.Error("lethe: the audit found a stale value: it is still served, no event has come for it, and the loader brings another",
		"function", c.name, "key", key, "node", n.cfg.Name, "age", auditAges[chk.age].name,
		"event", why.id, "source", why.source, "token", why.token.String(), "applied", at(applied),
		"tier", have.tier, "birth", have.Birth, "loaded", at(have.Start), "expires", at(have.Expires), "end", at(have.End),
		"negative", have.negative > 0, "labels", names)
}
