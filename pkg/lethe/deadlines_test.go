package lethe

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// timedLoad notes when its time was up.
type timedLoad struct {
	deadline
	name string
	up   func(name string)
}

func (l *timedLoad) overrun() { l.up(l.name) }

func TestEachLoadIsToldWhenItsOwnTimeIsUpAndOnlyThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := &Node{base: time.Now()}
		var ds deadlines
		var mu sync.Mutex
		var up []string
		told := func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(up)
		}
		begin := func(name string) *timedLoad {
			l := &timedLoad{name: name, up: func(name string) {
				mu.Lock()
				defer mu.Unlock()
				up = append(up, name+time.Duration(n.now()).String())
			}}
			l.load = l
			ds.add(n, &l.deadline, time.Second)
			return l
		}
		a := begin("a")
		wait(100 * time.Millisecond)
		b := begin("b")
		wait(100 * time.Millisecond)
		begin("c")
		d := begin("d")
		ds.done(n, &a.deadline)
		ds.done(n, &a.deadline) // once more is nothing
		ds.done(n, &d.deadline)
		wait(5 * time.Second)
		synctest.Wait()
		ds.done(n, &b.deadline)
		if want := []string{"b1.1s", "c1.2s"}; !slices.Equal(told(), want) {
			t.Errorf("told %v, want %v", told(), want)
		}
		if ds.first != nil || ds.last != nil || ds.armed {
			t.Errorf("%+v is left", &ds)
		}
		begin("e")
		wait(999 * time.Millisecond)
		synctest.Wait()
		if len(told()) != 2 {
			t.Errorf("told %v too early", told())
		}
		wait(time.Millisecond)
		synctest.Wait()
		if len(told()) != 3 {
			t.Errorf("told %v: the timer was not set again", told())
		}
	})
}
