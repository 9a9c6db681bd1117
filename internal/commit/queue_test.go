package commit

import (
	"errors"
	"testing"
	"time"
)

type word string

func (w word) Size() int { return len(w) }

type queue = Queue[word, string, int]

func plain() Config[word] {
	return Config[word]{MaxBatch: 10, MaxQueued: 100, MaxLanes: 2, Rate: 1000, Burst: 100, MaxWait: time.Second}
}

func join(t *testing.T, q *queue, lane, voice string, now int64, items ...word) []*Batch[word, string, int] {
	t.Helper()
	bs, err := q.Join(lane, voice, items, now)
	if err != nil {
		t.Fatalf("join %v: %v", items, err)
	}
	return bs
}

func take(t *testing.T, q *queue, now int64) *Batch[word, string, int] {
	t.Helper()
	b, at := q.Next(now)
	if b == nil {
		t.Fatalf("nothing to send now; ask again at %d", at)
	}
	return b
}

func TestAnIdleLaneSendsAtOnceAndGathersWhileItIsBusy(t *testing.T) {
	t.Parallel()
	q := New[word, string, int](plain())
	first := join(t, q, "fn.a", "", 1, "x")[0]
	if b := take(t, q, 1); b != first {
		t.Fatal("the first batch did not go at once")
	}
	second := join(t, q, "fn.a", "", 2, "y")[0]
	third := join(t, q, "fn.a", "", 3, "z")[0]
	if second == first || third != second {
		t.Fatal("what is joined while one is under way does not gather in the next")
	}
	if b, at := q.Next(4); b != nil || at != 0 {
		t.Fatalf("a lane has two batches under way: %v, %d", b, at)
	}
	q.Sent(first)
	if b := take(t, q, 5); b != second || len(b.Items) != 2 {
		t.Fatalf("then went %v", b.Items)
	}
}

func TestAnEqualItemNeverJoinsWhatWasHandedOut(t *testing.T) {
	t.Parallel()
	q := New[word, string, int](plain())
	first := join(t, q, "fn.a", "", 1, "x")[0]
	take(t, q, 1)
	if again := join(t, q, "fn.a", "", 2, "x")[0]; again == first {
		t.Error("it joined an event that may have been applied before its own change was committed")
	}
	if twice := join(t, q, "fn.a", "", 3, "x", "x"); len(twice) != 1 || len(twice[0].Items) != 1 {
		t.Error("equal items in a waiting batch were not joined into one")
	}
}

func TestVoicesAreNotMixed(t *testing.T) {
	t.Parallel()
	q := New[word, string, int](plain())
	a, b := join(t, q, "fn.a", "ann", 1, "x")[0], join(t, q, "fn.a", "bob", 1, "x")[0]
	if a == b || a.Voice != "ann" || b.Voice != "bob" {
		t.Error("one event for two who say it")
	}
	if c := join(t, q, "fn.a", "ann", 1, "y")[0]; c != a {
		t.Error("the same voice began another batch although there is room")
	}
}

func TestABatchIsAsLargeAsItMayBeAndAnOversizedItemIsOneByItself(t *testing.T) {
	t.Parallel()
	q := New[word, string, int](plain())
	bs := join(t, q, "fn.a", "", 1, "12345", "1234567890123", "6789", "0")
	if len(bs) != 3 || len(bs[0].Items) != 1 || len(bs[1].Items) != 1 || len(bs[2].Items) != 2 {
		t.Fatalf("%d batches", len(bs))
	}
}

func TestTooMuchWaitingIsRefusedAndWhatNobodyWantsIsDropped(t *testing.T) {
	t.Parallel()
	cfg := plain()
	cfg.MaxQueued = 6
	q := New[word, string, int](cfg)
	bs := join(t, q, "fn.a", "", 1, "1234")
	if _, err := q.Join("fn.b", "", []word{"567"}, 1); !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	q.Leave(bs)
	if q.Wanted(bs[0]) {
		t.Error("wanted by nobody")
	}
	if b, at := q.Next(1); b != nil || at != 0 {
		t.Errorf("a batch nobody waits for is sent: %v", b)
	}
	if len(q.lanes) != 0 || q.queued != 0 || len(q.ready) != 0 {
		t.Errorf("left behind: %d lanes, %d bytes", len(q.lanes), q.queued)
	}
	join(t, q, "fn.b", "", 1, "567")
}

func TestLanesUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	q := New[word, string, int](plain())
	for _, lane := range []string{"a", "b", "c"} {
		join(t, q, lane, "", 1, "x")
	}
	one := take(t, q, 1)
	take(t, q, 1)
	if b, at := q.Next(1); b != nil || at != 0 {
		t.Fatalf("a third lane is under way: %v, %d", b, at)
	}
	q.Sent(one)
	take(t, q, 1)
}

func TestAStormIsPacedThenRefused(t *testing.T) {
	t.Parallel()
	cfg := plain()
	cfg.Rate, cfg.Burst, cfg.MaxWait, cfg.MaxBatch = 10, 2, 300*time.Millisecond, 1
	q := New[word, string, int](cfg)
	now := int64(5 * time.Second)
	var at []int64
	for _, item := range []word{"a", "b", "c", "d"} {
		bs, err := q.Join(string("lane"+item), "", []word{item}, now)
		if err != nil {
			t.Fatalf("%s: %v", item, err)
		}
		at = append(at, bs[0].due-now)
	}
	step := int64(100 * time.Millisecond)
	for i, want := range []int64{-step, 0, step, 2 * step} {
		if at[i] != want {
			t.Errorf("batch %d is due after %v, want %v", i, time.Duration(at[i]), time.Duration(want))
		}
	}
	join(t, q, "more", "", now, "f")
	if _, err := q.Join("x", "", []word{"y"}, now); !errors.Is(err, ErrStorm) {
		t.Errorf("got %v", err)
	}
	if _, err := q.Join("more", "", []word{"f"}, now); err != nil {
		t.Errorf("what waits already was refused: %v", err)
	}
	join(t, q, "x", "", now+step, "y")
}

func TestAStormIsWidenedWhereThatIsAskedFor(t *testing.T) {
	t.Parallel()
	cfg := plain()
	cfg.Rate, cfg.Burst, cfg.MaxWait, cfg.MaxBatch = 10, 1, 0, 1
	cfg.Widen = func(lane string) word { return word("*" + lane) }
	q := New[word, string, int](cfg)
	join(t, q, "fn.a", "ann", 1, "1")
	wide := join(t, q, "fn.a", "ann", 1, "3")[0]
	if !wide.Wide || len(wide.Items) != 1 || wide.Items[0] != "*fn.a" || wide.Voice != "" {
		t.Fatalf("got %+v", wide)
	}
	if more := join(t, q, "fn.a", "bob", 2, "4", "1"); len(more) != 1 || more[0] != wide {
		t.Error("what comes while it waits is not covered by it")
	}
	for range 2 {
		b, at := q.Next(1)
		if b == nil {
			b = take(t, q, at)
		}
		q.Sent(b)
	}
	if fresh := join(t, q, "fn.a", "ann", int64(time.Minute), "3")[0]; fresh.Wide {
		t.Error("still widened after the storm")
	}
}

func TestALimitHoldsForWhatIsJoinedFromThenOn(t *testing.T) {
	t.Parallel()
	q := New[word, string, int](plain())
	if whole := join(t, q, "fn.a", "", 1, "aaa", "bbb"); len(whole) != 1 {
		t.Fatalf("%d batches of 6 bytes, where 10 are allowed", len(whole))
	}
	q.Limit(4)
	if parts := join(t, q, "fn.b", "", 1, "aaa", "bbb"); len(parts) != 2 {
		t.Fatalf("%d batches of 6 bytes, where 4 are allowed", len(parts))
	}
}
