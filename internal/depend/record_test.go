package depend

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestARecordExpiresWithTheEarliestItRead(t *testing.T) {
	t.Parallel()
	owner := new(int)
	r := NewRecord(owner)
	for _, at := range []int64{50, 20, 90} {
		r.Read(owner, []Label{Tag(fmt.Sprintf("a:%d", at))}, at)
	}
	r.On(Tag("b:1"))
	got := r.Close()
	if got.Expires != 20 || len(got.Set.Labels()) != 4 {
		t.Errorf("expires %d with %d labels, want 20 with 4", got.Expires, len(got.Set.Labels()))
	}
	e := NewRecord(owner).Close()
	if e.Expires != Never || len(e.Set.Labels()) != 0 || e.NoStore || e.TTL != 0 {
		t.Errorf("an empty record: %+v", e)
	}
}

func TestWhatAnotherOwnerReadCountsAsExpiredAndItsLabelsStillCount(t *testing.T) {
	t.Parallel()
	r := NewRecord(new(int))
	r.Read(new(int), []Label{Tag("a:1")}, Never)
	got := r.Close()
	if got.Expires != 0 || !slices.Contains(got.Set.Labels(), Tag("a:1")) {
		t.Errorf("expires %d, labels %v; want 0 and the tag", got.Expires, got.Set.Labels())
	}
}

func TestWhatIsRecordedAfterTheLoadIsIgnored(t *testing.T) {
	t.Parallel()
	owner := new(int)
	r := NewRecord(owner)
	r.On(Tag("a:1"))
	first := r.Close()
	r.Read(owner, []Label{Tag("a:2")}, 1)
	r.On(Tag("a:3"))
	r.AddTags("a:4")
	r.SetTTL(time.Second)
	r.NoStore()
	r.Illegal("a:")
	if again := r.Close(); !reflect.DeepEqual(again, first) {
		t.Errorf("%+v, want what it was when it was closed: %+v", again, first)
	}
}

func TestWhatALoaderAsksForIsRecorded(t *testing.T) {
	t.Parallel()
	r := NewRecord(nil)
	r.AddTags("a:1", "b:2/3")
	r.AddTags("c:4")
	r.SetTTL(time.Hour)
	r.SetTTL(time.Minute)
	r.NoStore()
	got := r.Close()
	if !got.NoStore || got.TTL != time.Minute || got.Illegals != 0 || got.Expires != Never {
		t.Errorf("%+v", got)
	}
	for _, l := range []Label{Tag("a:1"), Prefix("a:"), Tag("b:2/3"), Prefix("b:2/"), Tag("c:4")} {
		if !slices.Contains(got.Set.Labels(), l) {
			t.Error("a label of a named tag is missing")
		}
	}
}

func TestAnIllegalTagIsReportedAndKeepsTheResultOut(t *testing.T) {
	t.Parallel()
	r := NewRecord(nil)
	r.Illegal("4")
	if got := r.Close(); !got.NoStore || got.Illegal != "4" || got.Illegals != 1 {
		t.Errorf("%+v", got)
	}
	r = NewRecord(nil)
	r.Illegal("")
	r.Illegal("5")
	if got := r.Close(); !got.NoStore || got.Illegal != "" || got.Illegals != 2 {
		t.Errorf("the empty tag and another: %+v", got)
	}
}

func TestNoRecordIsNoRecord(t *testing.T) {
	t.Parallel()
	var r *Record
	r.Read(nil, []Label{Tag("a:1")}, 1)
	r.On(Tag("a:1"))
}

func TestALoaderMayReadFromManyGoroutines(t *testing.T) {
	t.Parallel()
	owner := new(int)
	r := NewRecord(owner)
	ctx := With(t.Context(), &Frame{Record: r})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r.Read(owner, []Label{Key("f", strconv.Itoa(i))}, int64(100-i))
			On(ctx, fmt.Sprintf("t:%d", i))
			r.AddTags(fmt.Sprintf("u:%d", i))
		})
	}
	wg.Wait()
	got := r.Close()
	for i := range 8 {
		for _, l := range []Label{Key("f", strconv.Itoa(i)), Tag(fmt.Sprintf("t:%d", i)), Tag(fmt.Sprintf("u:%d", i))} {
			if !slices.Contains(got.Set.Labels(), l) {
				t.Error("a label is missing")
			}
		}
	}
	if got.Expires != 93 {
		t.Errorf("expires %d, want 93", got.Expires)
	}
}

func TestAFrameIsTheInnermostOfItsContext(t *testing.T) {
	t.Parallel()
	if From(t.Context()) != nil {
		t.Error("a frame from nowhere")
	}
	On(t.Context(), "a:1") // outside a load: nothing
	outer, inner := &Frame{Record: NewRecord(nil), Reading: "x"}, &Frame{Record: NewRecord(nil)}
	ctx := With(t.Context(), outer)
	deep := With(context.WithoutCancel(ctx), inner)
	if From(ctx) != outer || From(deep) != inner {
		t.Error("the wrong frame")
	}
	On(deep, "a:1", "b:2")
	On(With(deep, &Frame{}), "c:3") // a frame without a record
	if o := outer.Record.Close(); len(o.Set.Labels()) != 0 {
		t.Errorf("%v went to the outer load", o.Set.Labels())
	}
	got := inner.Record.Close()
	if !slices.Contains(got.Set.Labels(), Tag("b:2")) || !slices.Contains(got.Set.Labels(), Prefix("a:1/")) || slices.Contains(got.Set.Labels(), Tag("c:3")) || got.Expires != Never {
		t.Errorf("%+v", got)
	}
}
