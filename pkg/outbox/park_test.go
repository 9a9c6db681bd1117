package outbox

import (
	"testing"
	"time"
)

// A row is parked because of a mistake that lasts; it must not wait much longer than that.
func TestAParkedRowIsTriedAgainAfterAQuarterOfItsAgeAndAtLeastEachFiveMinutes(t *testing.T) {
	t.Parallel()
	for _, born := range []time.Duration{0, 7 * time.Second, time.Minute, 191 * time.Second, time.Hour} {
		var p parkedPass
		limits := defaults()
		p.begin()
		p.went(nil, batchMost, 0, limits)
		last, tried, all := born, 0, 0
		for now := time.Duration(0); now < 3*time.Hour; now += 100 * time.Millisecond {
			if !p.due(now, limits) {
				continue
			}
			if p.age == 0 {
				all++
			}
			if age := now - born; age >= 0 && (p.age == 0 || age < p.age) {
				if wait, most := now-last, min(10*time.Second+age/2, limits.parked+5*time.Second); wait > most {
					t.Errorf("born at %v: at the age of %v it has waited for %v, at most %v are right", born, age, wait, most)
				}
				last = now
				tried++
			}
			p.went(nil, batchMost, now, limits)
		}
		if tried < 20 || all < 20 || all > 40 {
			t.Errorf("born at %v: tried %d times, all are tried %d times in three hours", born, tried, all)
		}
	}
}
