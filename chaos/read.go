package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/lethe-cache/lethe/chaos/judge"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// readers is how many goroutines of a node read. One that waits for a slow load holds up only itself.
const readers = 12

// readFor bounds one read; a load may take two seconds, and one that has to be made again twice that.
const readFor = 20 * time.Second

// read reads on and on, at its part of the node's rate.
func (m *member) read(ctx context.Context, seed int) {
	r := rand.New(rand.NewPCG(uint64(mono()), uint64(seed)))
	pause := 2 * time.Second * readers / time.Duration(m.rate)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(r.Int64N(int64(pause)))):
		}
		one, cancel := context.WithTimeout(ctx, readFor)
		if err := m.readOne(one, r); err != nil && ctx.Err() == nil {
			m.failed(err)
		}
		cancel()
	}
}

func (m *member) readOne(ctx context.Context, r *rand.Rand) error {
	k := pickKey(r)
	var need int64
	if r.IntN(20) == 0 {
		if t, ok := m.tokens.Load(k); ok {
			kn, _ := t.(known)
			ctx, need = lethe.WithToken(ctx, kn.token), kn.version
		}
	}
	switch p := r.IntN(100); {
	case p < 25:
		return m.lookup(ctx, string(fnItem), m.f.item, k, need)
	case p < 40:
		return m.lookup(ctx, string(fnStale), m.f.stale, k, need)
	case p < 55:
		return m.lookup(ctx, string(fnServe), m.f.serve, k, need)
	case p < 68:
		return m.lookup(ctx, string(fnBulk), m.f.bulk, k, need)
	case p < 80:
		return m.lookupPair(ctx, string(fnPair), m.f.pair, k, need)
	case p < 92:
		return m.lookupPair(ctx, string(fnDeep), m.f.deep, k, need)
	case p < 96:
		return m.many(ctx, r, k)
	default:
		begin := mono()
		if v, ok := m.f.item.Peek(ctx, k); ok {
			m.reads(judge.Read{Func: string(fnItem), Key: k, Begin: begin, End: mono(), Outcome: judge.Peeked, Need: need, Version: v.Version})
		}
		return nil
	}
}

// pickKey prefers a few keys: the others have time to grow old.
func pickKey(r *rand.Rand) int {
	if r.IntN(2) == 0 {
		return r.IntN(groupSize)
	}
	return r.IntN(keysMost)
}

func (m *member) lookup(ctx context.Context, name string, f *lethe.Func[int, row], k int, need int64) error {
	begin := mono()
	res, err := f.Lookup(ctx, k)
	if err != nil {
		return err
	}
	m.reads(judge.Read{Func: name, Key: k, Begin: begin, End: mono(), Outcome: judge.Outcome(res.Cache), Need: need, Version: res.Value.Version})
	return nil
}

func (m *member) lookupPair(ctx context.Context, name string, f *lethe.Func[int, pair], k int, need int64) error {
	begin := mono()
	res, err := f.Lookup(ctx, k)
	if err != nil {
		return err
	}
	a := judge.Read{Func: name, Key: k, Begin: begin, End: mono(), Outcome: judge.Outcome(res.Cache), Need: need, Version: res.Value.A.Version}
	b := a
	b.Key, b.Need, b.Version = neighbour(k), 0, res.Value.B.Version
	m.reads(a, b)
	return nil
}

func (m *member) many(ctx context.Context, r *rand.Rand, k int) error {
	keys := []int{k, neighbour(k), r.IntN(keysMost)}
	begin := mono()
	rows, err := m.f.item.GetMany(ctx, keys)
	if err != nil {
		return err
	}
	end := mono()
	for _, v := range rows {
		m.reads(judge.Read{Func: string(fnItem), Key: v.Key, Begin: begin, End: end, Outcome: judge.Many, Version: v.Version})
	}
	return nil
}
