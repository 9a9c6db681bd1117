package judge

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// window is what one key did on one node since a moment, for porcupine.
type window struct {
	begin    int64
	reads    []Read
	applied  []porcupine.Operation // carried over where one ends after the window
	lastRead int64
}

// Kinds of operations of the model. A commit and an apply bring a version in; a read out.
const (
	opCommit  = 'c'
	opApply   = 'a'
	opCached  = 'r' // between what was applied and what is committed
	opThrough = 't' // exactly what is committed
)

type input struct {
	op      rune
	version int64
}

// register is the state of the model: the newest version committed, and the newest applied on the node.
type register struct{ top, floor int64 }

// checkFor bounds the search for an order; out of it, nothing is decided.
const checkFor = time.Second

// windowsMost bounds a window's reads; more are left out, which only makes the check weaker.
const windowsMost = 400

func (j *Judge) windowRead(n *nodePast, r Read) {
	if j.cfg.Window < 0 || r.Outcome == Stale {
		return
	}
	w := &n.windows[r.Key]
	if w.begin == 0 {
		w.begin = r.Begin
	}
	if len(w.reads) < windowsMost {
		w.reads = append(w.reads, r)
		w.lastRead = max(w.lastRead, r.End)
	}
}

func (j *Judge) windowApplied(n *nodePast, c Cover, a Applied) {
	if j.cfg.Window < 0 || a.Soft {
		return
	}
	w := &n.windows[c.Key]
	w.applied = append(w.applied, porcupine.Operation{ClientId: 1, Input: input{opApply, c.Version}, Call: a.Begin, Return: a.End})
}

// closeWindows checks the windows of a node that were over by now; with the lock held.
func (j *Judge) closeWindows(n *nodePast, now int64) {
	for key := range n.windows {
		w := &n.windows[key]
		if len(w.reads) == 0 || now-w.begin < int64(j.cfg.Window) {
			continue
		}
		j.check(n, key, w)
		w.begin, w.lastRead, w.reads = 0, 0, w.reads[:0]
	}
}

// check lets porcupine explain a window. What ended before its first read is the state it begins in.
func (j *Judge) check(n *nodePast, key int, w *window) {
	first := w.reads[0].Begin
	for _, r := range w.reads {
		first = min(first, r.Begin)
	}
	var start register
	var ops []porcupine.Operation
	for _, a := range w.applied {
		switch in, _ := a.Input.(input); {
		case a.Return < first:
			start.floor = max(start.floor, in.version)
		case a.Call <= w.lastRead:
			ops = append(ops, a)
		}
	}
	w.applied = trim(w.applied, w.lastRead)
	past := &j.keys[key]
	start.top = past.done.before(first)
	commits := past.recentWrites.all()
	if !covers(commits, start.top) {
		j.counts.Undecided++
		return
	}
	for _, c := range commits {
		if c.Version > start.top && c.Begin <= w.lastRead {
			ops = append(ops, porcupine.Operation{Input: input{opCommit, c.Version}, Call: c.Begin, Return: c.End})
		}
	}
	for _, r := range w.reads {
		in := input{op: opCached}
		if r.Outcome == Bypass && !j.cfg.Composite[r.Func] {
			in.op = opThrough
		}
		ops = append(ops, porcupine.Operation{ClientId: 2, Input: in, Output: r.Version, Call: r.Begin, Return: r.End})
	}
	for i := range ops {
		ops[i].ClientId = i // every operation may overlap every other
	}
	j.counts.Windows++
	j.counts.Checked += int64(len(ops))
	switch porcupine.CheckOperationsTimeout(model(start), ops, checkFor) {
	case porcupine.Illegal:
		j.violate("linear", n, w.reads[0], fmt.Sprintf("porcupine finds no order of the %d operations from here on", len(ops)))
	case porcupine.Unknown:
		j.counts.Undecided++
	case porcupine.Ok:
	}
}

// trim keeps what later windows begin with: the newest version applied before, and what had not ended.
func trim(applied []porcupine.Operation, until int64) []porcupine.Operation {
	var newest porcupine.Operation
	var have bool
	rest := applied[:0]
	for _, a := range applied {
		if a.Return >= until-int64(time.Minute) {
			rest = append(rest, a)
			continue
		}
		in, _ := a.Input.(input)
		best, _ := newest.Input.(input)
		if !have || in.version > best.version {
			newest, have = a, true
		}
	}
	if have {
		rest = append(rest, newest)
	}
	return rest
}

// covers says whether every commit after version top is among what is remembered of them.
func covers(commits []Commit, top int64) bool {
	for _, c := range commits {
		if c.Version <= top+1 {
			return true
		}
	}
	return len(commits) == 0
}

func model(start register) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return start },
		Step: func(state, in, out any) (bool, any) {
			s, _ := state.(register)
			i, _ := in.(input)
			v, _ := out.(int64)
			switch i.op {
			case opCommit:
				s.top = max(s.top, i.version)
				return true, s
			case opApply:
				s.floor = max(s.floor, i.version)
				return true, s
			case opThrough:
				return v == s.top && v >= s.floor, s
			default:
				return s.floor <= v && v <= s.top, s
			}
		},
	}
}
