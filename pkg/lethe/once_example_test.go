package lethe_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// untilAttached waits for what lethe_receiver_attached tells an operator.
func untilAttached(node *lethe.Node) {
	for ; ; <-time.After(time.Millisecond) {
		reg := prometheus.NewRegistry()
		reg.MustRegister(node.Collector())
		families, err := reg.Gather()
		if err != nil {
			log.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "lethe_receiver_attached" && f.GetMetric()[0].GetGauge().GetValue() == 1 {
				return
			}
		}
	}
}

// A log line on every node, and one purge of the CDN for the whole fleet, whichever node makes it. Purging twice does no harm, and
// what is lost is said as everything: that is all a receiver has to be prepared for.
func ExampleOncePerFleet() {
	node, stop := open()
	defer stop()
	ctx := context.Background()

	logged := make(chan string, 10)
	if err := node.Receive("log", func(_ context.Context, e event.Event) error {
		logged <- fmt.Sprint("forgot ", e.Targets, ": ", e.Reason)
		return nil
	}); err != nil {
		log.Fatal(err)
	}
	purged := make(chan string, 10)
	purge := func(_ context.Context, e event.Event) error {
		var keys []string
		for _, t := range e.Targets {
			switch t.Scope() {
			case event.ScopeTag:
				keys = append(keys, t.Name())
			case event.ScopeAll: // somebody said so, or this receiver lost events
				keys = []string{"everything"}
			default: // prefixes: what is below them can't be told to this CDN
				keys = append(keys, "all of "+t.Name())
			}
		}
		purged <- "purge " + strings.Join(keys, " ") // a request to the CDN; its error would have it tried again
		return nil
	}
	if err := node.Receive("cdn", purge, lethe.OncePerFleet(), lethe.ForTags("brand", "page"), lethe.WithRetry(8, time.Second)); err != nil {
		log.Fatal(err)
	}
	untilAttached(node) // what is said from then on is kept for it

	if _, err := node.Invalidate(event.WithReason(ctx, "new logo"), event.Tag("brand:acme"), event.Tag("brand:acme/logo")); err != nil {
		log.Fatal(err)
	}
	if _, err := node.Invalidate(event.WithReason(ctx, "moved house"), event.Tag("user:42")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-logged)
	fmt.Println(<-logged)
	fmt.Println(<-purged)
	// Output:
	// forgot [tag/brand:acme tag/brand:acme/logo]: new logo
	// forgot [tag/user:42]: moved house
	// purge brand:acme brand:acme/logo
}
