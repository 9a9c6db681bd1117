package local

import "time"

// steady calls do so many times a second, and returns what ends it and tells how many a second it were. What it could not do in
// time it catches up with.
func steady(rate int, do func(i int)) (stop func() float64) {
	quit, done := make(chan struct{}), make(chan float64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		begin, i := time.Now(), 0
		for {
			select {
			case <-quit:
				done <- float64(i) / time.Since(begin).Seconds()
				return
			case <-tick.C:
				for due := int(time.Since(begin).Seconds() * float64(rate)); i < due; i++ {
					do(i)
				}
			}
		}
	}()
	return func() float64 {
		close(quit)
		return <-done
	}
}
