package lethe

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/pkg/event"
)

// FunctionInfo is a memoized function of a node.
type FunctionInfo struct {
	Name   string            `json:"name"`
	Former string            `json:"formerName,omitempty"`
	Args   int               `json:"args"`
	Kinds  []string          `json:"kinds"` // of the arguments in JSON: string, number, boolean, object, array or any
	TTL    time.Duration     `json:"ttlNanoseconds"`
	Hashed bool              `json:"hashedKeys,omitempty"`
	Reads  map[string]uint64 `json:"reads"` // by how they were answered
}

// Functions lists what is memoized on this node, by name.
func (n *Node) Functions() []FunctionInfo {
	infos := []FunctionInfo{}
	for _, f := range n.functions.all() {
		i := FunctionInfo{Name: f.name, Former: f.former, Args: len(f.shape), Kinds: kindNames(f.shape), TTL: f.ttl, Hashed: f.hashed, Reads: map[string]uint64{}}
		for r, name := range results {
			i.Reads[name] = f.requests.sum(r)
		}
		infos = append(infos, i)
	}
	slices.SortFunc(infos, func(a, b FunctionInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos
}

// Explanation is what a node knows of one key.
type Explanation struct {
	Node     string          `json:"node"`
	Function string          `json:"function"`
	Args     json.RawMessage `json:"args,omitempty"`
	Known    bool            `json:"memoized"` // the function is memoized on this node
	Cached   bool            `json:"cached"`
	Usable   bool            `json:"usable"` // a read now would be answered from it
	Tier     Tier            `json:"tier,omitempty"`
	Negative bool            `json:"negative,omitempty"`
	// Collapsed says that the entry depends on more labels than it can carry (512): it has any labels instead, and any event about the same
	// functions or families of tags makes it stale.
	Collapsed bool        `json:"collapsed,omitempty"`
	Born      *time.Time  `json:"born,omitempty"` // when its load began
	Expires   *time.Time  `json:"expires,omitempty"`
	Labels    []LabelInfo `json:"labels"`
}

// LabelInfo is one thing that makes an entry stale: by name where it follows from the key, else by its hash.
type LabelInfo struct {
	Label       string `json:"label"`
	Invalidated bool   `json:"invalidated"` // since the entry's load began
	Touched     *Touch `json:"touchedBy,omitempty"`
}

// Touch is the latest invalidation of a label, as far as it is remembered: the last 1,024 of a node are.
type Touch struct {
	ID     string      `json:"id,omitempty"`
	Source string      `json:"source"`
	Type   string      `json:"type,omitempty"`
	Time   time.Time   `json:"time"`
	Token  event.Token `json:"token,omitzero"`
	Reason string      `json:"reason,omitempty"`
	Soft   bool        `json:"soft,omitempty"`
}

// Explain says what this node has for a key, and which event last touched what it depends on. It neither loads nor counts as a
// read. target is of one key; of a hashed function it may carry the arguments or their hash.
func (n *Node) Explain(ctx context.Context, target event.Target) (Explanation, error) {
	if err := target.Err(); err != nil {
		return Explanation{}, &Error{Op: "explain", Name: "target", Err: err}
	}
	if target.Scope() != event.ScopeKey {
		return Explanation{}, &Error{Op: "explain", Name: target.String(), Err: fmt.Errorf("it is not of one key: %w", event.ErrInvalid)}
	}
	x := Explanation{Node: n.cfg.Name, Function: target.Name(), Args: target.Args(), Labels: []LabelInfo{}}
	f := n.functions.find(target.Name())
	if f == nil {
		return x, nil
	}
	x.Known = true
	key := depend.Key(f.name, target.ArgsHash())
	var e *entry
	if text := string(target.Args()); text != "" {
		if own, ok := f.takes(text); ok {
			text = own
		}
		key = f.keyLabel(text)
		if n.memory() != nil {
			e, x.Tier, x.Usable = f.inspect(text)
		}
	}
	labels := []depend.Label{key, f.label}
	if e != nil {
		x.Cached, x.Negative = true, e.negative > 0
		born, expires := n.base.Add(time.Duration(e.Start)), n.base.Add(time.Duration(e.Expires))
		x.Born, x.Expires = &born, &expires
		labels = e.labels()
	}
	x.Collapsed = slices.ContainsFunc(labels, depend.Label.Collapsed)
	for _, l := range append(slices.Clone(labels), depend.All()) {
		x.Labels = append(x.Labels, n.explainLabel(n.labelName(f, key, l, target), l, e))
	}
	return x, ctx.Err()
}

func (n *Node) explainLabel(name string, l depend.Label, e *entry) LabelInfo {
	info := LabelInfo{Label: name}
	hard, soft := n.fence.Stamps(l.Hash)
	last := max(hard, soft)
	info.Invalidated = e != nil && last > e.Birth
	if t, ok := n.touches.find(last); ok {
		info.Touched = &Touch{ID: t.id, Source: t.source, Type: t.typ, Time: t.at, Token: t.token, Reason: t.reason, Soft: soft > hard}
	}
	return info
}

// inspect finds the entry of a canonical key, in the hot tier before bulk.
func (c *core[K, V]) inspect(canonical string) (e *entry, tier Tier, usable bool) {
	text := c.prefix + canonical
	if c.n.closed.Load() {
		return nil, "", false
	}
	if h := c.hotByText(text); h != nil {
		r := c.n.gate.Read(&h.Life, nil)
		return &h.entry, Hot, c.serve(&h.Life, r) != unusable
	}
	if c.s.withoutBulk {
		return nil, "", false
	}
	b, ok := c.n.tiers.find([]byte(text))
	if !ok {
		return nil, "", false
	}
	found, raw, _, ok := parseEntry(b, nil)
	if !ok {
		return nil, "", false
	}
	found.Labels = parseLabels(raw)
	r := c.n.gate.Read(&found.Life, nil)
	return &found, Bulk, c.serve(&found.Life, r) != unusable
}

// hotByText finds a decoded value by its canonical key. The hot tier is keyed by K, so it is searched: at most MaxHot items.
func (c *core[K, V]) hotByText(text string) *hotEntry[K, V] {
	if c.s.withoutHot {
		return nil
	}
	for _, item := range c.n.tiers.hot.All() {
		if e, ok := item.(*hotEntry[K, V]); ok && e.c == c {
			if have, err := c.textOf(e.key); c.byText && e.more.text == text || !c.byText && err == nil && have == text {
				return e
			}
		}
	}
	return nil
}
