package lethe_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func TestEverythingWrongWithAConfigIsSaidAtOnceAndNamesItsField(t *testing.T) {
	t.Parallel()
	_, err := lethe.Open(t.Context(), lethe.Config{
		Fleet: "No Fleet", Name: "no/name", Replicas: 6, MaxBytes: 1, MaxHot: -1, MaxTTL: -1, MaxLoad: -1, MaxStaleness: time.Second,
	})
	for _, field := range []string{"URL", "Fleet", "Name", "Replicas", "MaxBytes", "MaxHot", "MaxTTL", "MaxLoad", "MaxStaleness"} {
		if !contains(err, "config "+field) {
			t.Errorf("%s is not named in: %v", field, err)
		}
	}
	var one *lethe.Error
	if !errors.As(err, &one) || one.Op != "config" {
		t.Errorf("%v is no *lethe.Error", err)
	}
	if !errors.Is(err, event.ErrInvalid) {
		t.Errorf("the fleet's error is not event.ErrInvalid: %v", err)
	}
	for field, cfg := range map[string]lethe.Config{
		"MaxTTL":  {URL: "nats://127.0.0.1:1", MaxTTL: math.MaxInt64},
		"MaxLoad": {URL: "nats://127.0.0.1:1", MaxLoad: math.MaxInt64},
	} {
		if n, err := lethe.Open(t.Context(), cfg); !contains(err, "config "+field) {
			t.Errorf("%s: %v", field, err)
			if n != nil {
				_ = n.Close()
			}
		}
	}
	if _, err := lethe.Open(t.Context(), lethe.Config{URL: "not a url\x00"}); err == nil {
		t.Error("a URL that is none was taken")
	}
}

func TestTwoNodesNeedNoNamesToBeTold(t *testing.T) {
	t.Parallel()
	n := one(t)
	if s := n.Status(); s.Name == "" || s.Fleet != "default" {
		t.Fatalf("%+v", s)
	}
}
