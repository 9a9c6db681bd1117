package lethe

import (
	"fmt"
	"sync"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/pkg/event"
)

// maxNames bounds how many tags are known by name for Explain; entries carry only hashes. At the bound all are dropped.
const maxNames = 8192

// labelNames remembers which tag a label's hash is of.
type labelNames struct {
	mu sync.Mutex // guards m
	m  map[uint64]string
}

func (ns *labelNames) addTag(tag string) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if _, known := ns.m[depend.Tag(tag).Hash]; known {
		return
	}
	if ns.m == nil || len(ns.m) >= maxNames {
		ns.m = map[uint64]string{}
	}
	ns.m[depend.Tag(tag).Hash] = "tag/" + tag
	for i := range len(tag) {
		if tag[i] == ':' || tag[i] == '/' {
			ns.m[depend.Prefix(tag[:i+1]).Hash] = "prefix/" + tag[:i+1]
		}
	}
	ns.m[depend.Prefix(tag+"/").Hash] = "prefix/" + tag + "/"
}

func (ns *labelNames) find(hash uint64) (string, bool) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	name, ok := ns.m[hash]
	return name, ok
}

// labelName is what a label stands for, as far as it can be told from its hash.
func (n *Node) labelName(f *function, key, l depend.Label, target event.Target) string {
	switch l.Hash {
	case key.Hash:
		return target.String()
	case f.label.Hash:
		return f.name
	case depend.All().Hash:
		return "everything"
	case depend.GlobalAny():
		return "anything (more labels than an entry carries)"
	}
	if name, ok := n.labels.find(l.Hash); ok {
		return name
	}
	for _, g := range n.functions.all() {
		switch {
		case g.label.Hash == l.Hash:
			return g.name
		case g.label.Any == l.Hash:
			return "any key of " + g.name
		case g.label.Any == l.Any:
			return "a key of " + g.name
		}
	}
	return fmt.Sprintf("label %016x", l.Hash)
}
