package main

import (
	"reflect"
	"testing"

	"github.com/lethe-cache/lethe/chaos/judge"
)

func TestAReasonIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	covers := []judge.Cover{{Key: 3, Version: 17}, {Key: 4, Version: 9}}
	for _, r := range []reason{{write: 7, covers: covers}, {write: 8, soft: true, covers: covers}, {write: 9, part: true, covers: covers}} {
		if got, ok := parseReason(r.String()); !ok || !reflect.DeepEqual(got, r) {
			t.Errorf("%q is %+v, %v", r, got, ok)
		}
	}
	for _, s := range []string{"", "a storm: more was invalidated", "w hard 1:2", "w1 hard 1"} {
		if r, ok := parseReason(s); ok {
			t.Errorf("%q is %+v", s, r)
		}
	}
}
