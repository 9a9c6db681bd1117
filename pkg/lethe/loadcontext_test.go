package lethe

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type valueKey struct{}

// wait lets time pass in a bubble.
func wait(d time.Duration) { <-time.After(d) }

// contextFor is that of a load which begins now and has a second; its caller is gone already.
func contextFor() *loadContext {
	caller, gone := context.WithCancelCause(context.WithValue(context.Background(), valueKey{}, "of the caller"))
	gone(errors.New("the caller has left"))
	c := new(loadContext)
	c.begin(caller, time.Now().Add(time.Second))
	return c
}

func TestALoadsContextIsAContextWheneverItIsAsked(t *testing.T) {
	t.Parallel()
	for _, waited := range []bool{false, true} { // whether Done was asked for before
		synctest.Test(t, func(t *testing.T) {
			c := contextFor()
			if waited {
				c.Done()
			}
			if at, ok := c.Deadline(); !ok || time.Until(at) != time.Second {
				t.Errorf("deadline %v, %v", at, ok)
			}
			if c.Value(valueKey{}) != "of the caller" || c.Value("other") != nil {
				t.Error("not the caller's values")
			}
			if c.Err() != nil || context.Cause(c) != nil {
				t.Errorf("ended by %v, %v: its caller's end is not its own", c.Err(), context.Cause(c))
			}
			wait(time.Second)
			synctest.Wait()
			if !errors.Is(c.Err(), context.DeadlineExceeded) || !errors.Is(context.Cause(c), context.DeadlineExceeded) {
				t.Errorf("%v, %v at the deadline", c.Err(), context.Cause(c))
			}
			c.end()
			if !errors.Is(c.Err(), context.DeadlineExceeded) {
				t.Errorf("%v after the deadline and the end", c.Err())
			}
			select {
			case <-c.Done():
			default:
				t.Error("not done")
			}
		})
	}
}

func TestALoadsContextEndsWithTheLoad(t *testing.T) {
	t.Parallel()
	for _, waited := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := contextFor()
			if waited {
				c.Done()
			}
			c.end()
			select {
			case <-c.Done():
			default:
				t.Error("not done")
			}
			if !errors.Is(c.Err(), context.Canceled) {
				t.Errorf("%v at the end", c.Err())
			}
		})
	}
}

func TestWhatIsDerivedFromALoadsContextEndsWithIt(t *testing.T) {
	t.Parallel()
	for _, atEnd := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := contextFor()
			under, cancel := context.WithCancel(context.WithValue(c, valueKey{}, "nearer"))
			defer cancel()
			own, cancelOwn := context.WithTimeout(c, time.Millisecond)
			defer cancelOwn()
			var told atomic.Bool
			context.AfterFunc(c, func() { told.Store(true) })
			wait(time.Millisecond)
			synctest.Wait()
			if !errors.Is(own.Err(), context.DeadlineExceeded) || under.Err() != nil || told.Load() {
				t.Errorf("%v, %v, %v", own.Err(), under.Err(), told.Load())
			}
			want := context.DeadlineExceeded
			if atEnd {
				want = context.Canceled
				c.end()
			} else {
				wait(time.Second)
			}
			synctest.Wait()
			if !errors.Is(under.Err(), want) || !errors.Is(context.Cause(under), want) || !told.Load() {
				t.Errorf("%v, %v, %v", under.Err(), context.Cause(under), told.Load())
			}
			if under.Value(valueKey{}) != "nearer" {
				t.Error("another value")
			}
		})
	}
}
