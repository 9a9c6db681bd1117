package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// mono is the one clock of all processes of the run: nanoseconds of CLOCK_MONOTONIC, which they share.
func mono() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // there is no machine without it
	}
	return ts.Nano()
}

// onMono is the moment of the wall clock on the shared one.
func onMono(t time.Time) int64 { return mono() - int64(time.Since(t.Round(0))) }
