package fence

import (
	"math"
	"sync/atomic"
	"testing"
	"time"
)

func benchGate() (*Gate, *Life) {
	base := time.Now()
	g := &Gate{Fence: New(Config{}, 0), Lease: &atomic.Int64{}, Now: func() int64 { return int64(time.Since(base)) }}
	g.Lease.Store(math.MaxInt64)
	return g, &Life{Birth: g.Clock(), Expires: math.MaxInt64, End: math.MaxInt64, Labels: many(4)}
}

func BenchmarkCheckFreshOf4Labels(b *testing.B) {
	g, l := benchGate()
	for b.Loop() {
		if g.Check(l.Birth, l.Labels...) != Fresh {
			b.Fatal("not fresh")
		}
	}
}

func BenchmarkReadOf4Labels(b *testing.B) {
	g, l := benchGate()
	for b.Loop() {
		g.Read(l, nil)
	}
}

func BenchmarkReadRemembered(b *testing.B) {
	g, l := benchGate()
	var memo Memo
	for b.Loop() {
		g.Read(l, &memo)
	}
}

// 10,000 single-key events a second, each with its own label, the function's any label and the global one, pass by meanwhile.
// The entry carries none of these, but now and then one of its slots is shared with a label of them.
func BenchmarkReadOf4LabelsUnderInvalidation(b *testing.B) {
	g, l := benchGate()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for i := uint64(0); ; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for range 10 {
				i++
				g.Invalidate(g.Now(), false, i*0x9e3779b97f4a7c15, 1<<40, 2<<40, 3<<40)
			}
		}
	}()
	var memo Memo
	for b.Loop() {
		g.Read(l, &memo)
	}
	close(stop)
	<-stopped
}

func BenchmarkInvalidateOneKey(b *testing.B) {
	g, _ := benchGate()
	i := uint64(0)
	for b.Loop() {
		i++
		g.Invalidate(0, false, i*0x9e3779b97f4a7c15, 1<<40, 2<<40, 3<<40)
	}
}

// An event of 100 new keys reaches 50 nodes of one machine: what each of them writes has left the cache since the event before.
func BenchmarkInvalidateHundredKeysCold(b *testing.B) {
	fences := make([]*Fence, 50)
	for i := range fences {
		fences[i] = New(Config{}, 0)
	}
	labels := make([]uint64, 102)
	labels[100], labels[101] = 1<<40, 2<<40
	next := uint64(0)
	for i := 0; b.Loop(); i++ {
		if i %= len(fences); i == 0 {
			for k := range 100 {
				next++
				labels[k] = next * 0x9e3779b97f4a7c15
			}
		}
		fences[i].Invalidate(0, false, labels...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/key")
}
