package cursor_test

import (
	"testing"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// fetching is the one that is under way; nil = none.
func fetching(w *world) *job {
	for _, j := range w.jobs {
		if j.Do == cursor.Fetch {
			return j
		}
	}
	return nil
}

// lags gives a node so much to fetch that it will not end in a test, and returns its first fetch.
func lags(t *testing.T) *world {
	t.Helper()
	w := following(t)
	for range 190 {
		w.store("")
	}
	w.disconnect()
	w.reconnect()
	if fetching(w) == nil {
		t.Fatal("nothing is fetched")
	}
	return w
}

// reconnect connects, and brings the round trip and the leader's word.
func (w *world) reconnect() {
	w.connect()
	for range 2 {
		w.serve(w.jobs[0])
		w.report(0)
	}
}

// answered brings the answer to the fetch under way, of one message, whole or not, and returns the next fetch.
func answered(t *testing.T, w *world, whole bool) *job {
	t.Helper()
	for i, j := range w.jobs {
		if j.Do == cursor.Fetch {
			w.serve(j)
			j.found, j.ok = j.found[:min(2, len(j.found))], whole // the one at the cursor is the first
			w.report(i)
			break
		}
	}
	w.beat(2 * second) // a retry waits
	j := fetching(w)
	if j == nil {
		t.Fatal("nothing is fetched")
	}
	return j
}

const (
	least = 64 << 10 // one of the largest events
	most  = 8 << 20
)

func TestAFetchAsksForNoMoreThanTwiceWhatHasComeThrough(t *testing.T) {
	t.Parallel()
	w := lags(t)
	want := least
	for range 10 {
		if j := fetching(w); j.Bytes != want || j.Messages != min(want/256, 512) {
			t.Fatalf("it asks for %d bytes and %d messages, want %d bytes", j.Bytes, j.Messages, want)
		}
		answered(t, w, true)
		want = min(2*want, most)
	}
}

func TestAConnectionLostDuringAFetchHalvesWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	w := lags(t)
	// again lets the connection break during the fetch, and n answers come on the next one.
	again := func(n int) int {
		w.disconnect()
		w.reconnect()
		j := fetching(w)
		if j == nil || j.Bytes != least {
			t.Fatalf("a new connection begins with %+v, want %d bytes", j, least)
		}
		for range n {
			j = answered(t, w, true)
		}
		return j.Bytes
	}
	for range 10 {
		answered(t, w, true)
	}
	for _, want := range []int{most / 2, most / 4, most / 8} {
		if got := again(10); got != want {
			t.Fatalf("it asks for %d bytes, want %d", got, want)
		}
	}
	for range 8 {
		if got := again(0); got != least {
			t.Fatalf("it asks for %d bytes, want what one event needs", got)
		}
	}
	if got := again(10); got != least {
		t.Fatalf("after every size was too much it asks for %d bytes, want %d", got, least)
	}
	got := again(33)
	if got != least+least/8 {
		t.Errorf("after 32 whole answers it asks for %d bytes, want an eighth more than %d", got, least)
	}
}

func TestAFetchThatFailsMidwayHalvesWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	w := lags(t)
	for range 10 {
		answered(t, w, true)
	}
	if j := answered(t, w, false); j.Bytes != most/2 {
		t.Errorf("it asks for %d bytes, want %d", j.Bytes, most/2)
	}
}
