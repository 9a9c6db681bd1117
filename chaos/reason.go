package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lethe-cache/lethe/chaos/judge"
)

// reason travels in an event and says which write it is of and what that covers, for receivers and for the check of the log.
type reason struct {
	write  int64
	soft   bool
	part   bool // the write is several events: one alone does not cover what it says
	covers []judge.Cover
}

func (r reason) String() string {
	how := "hard"
	switch {
	case r.part:
		how = "part"
	case r.soft:
		how = "soft"
	}
	return fmt.Sprintf("w%d %s %s", r.write, how, judge.FormatCovers(r.covers))
}

// parseReason reads what String wrote; anything else is none.
func parseReason(s string) (r reason, ok bool) {
	f := strings.Fields(s)
	if len(f) != 3 || !strings.HasPrefix(f[0], "w") {
		return r, false
	}
	var err error
	if r.write, err = strconv.ParseInt(f[0][1:], 10, 64); err != nil {
		return r, false
	}
	r.soft, r.part = f[1] == "soft", f[1] == "part"
	r.covers, err = judge.ParseCovers(f[2])
	return r, err == nil
}
