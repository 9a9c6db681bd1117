package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPollGivesUpWithTheLastReason(t *testing.T) {
	t.Parallel()
	why := errors.New("why")
	err := poll(t.Context(), 150*time.Millisecond, "it works", func(context.Context) error { return why })
	if !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}
