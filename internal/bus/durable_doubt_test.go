package bus_test

import (
	"testing"
	"time"
)

// Nodes find out about one loss each for itself.
func TestWhatTwoNodesFindOutIsToldOnce(t *testing.T) {
	t.Parallel()
	a, b, _ := duo(t)
	da, db := durable(a, "all tags", "tag.>"), durable(b, "all tags", "tag.>")
	ta, tb := take(t, da), take(t, db)
	eventually(t, "both take part", func() bool { return da.Attached() && db.Attached() })
	// What they call the loss has the minute in it.
	for time.Now().Second() > 40 {
		<-time.After(100 * time.Millisecond)
	}
	minute := time.Now().Minute()
	da.Doubt("hole")
	db.Doubt("hole")
	told := ""
	select {
	case told = <-ta.names:
	case told = <-tb.names:
	case <-time.After(patience):
	}
	if told != "reset: the stream lost messages" {
		t.Fatalf("told %q", told)
	}
	if time.Now().Minute() != minute {
		t.Log("the machine is so busy that the minute was over: they may have told two losses")
		return
	}
	ta.nothing(t)
	tb.nothing(t)
}
