package lethe_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// open returns a ready node on a server in this process, and what closes both. A service has its own NATS server:
// lethe.Config{URL: os.Getenv("NATS_URL"), Fleet: "shop"}.
func open() (*lethe.Node, func()) {
	ctx := context.Background()
	srv, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	nc, err := srv.Connect()
	if err != nil {
		log.Fatal(err)
	}
	node, err := lethe.Open(ctx, lethe.Config{Conn: nc, Fleet: "shop"})
	if err != nil {
		log.Fatal(err)
	}
	if err := node.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	return node, func() {
		_ = node.Close()
		nc.Close()
		_ = srv.Close()
	}
}

func ExampleMemoize() {
	node, stop := open()
	defer stop()
	ctx := context.Background()
	prices := map[string]int{"sku-42": 1995} // the database

	price := lethe.Memoize(node, "catalog.price", func(_ context.Context, sku string) (int, error) {
		fmt.Println("loading", sku)
		return prices[sku], nil
	}, lethe.WithTTL(10*time.Minute))

	fmt.Println(price.Get(ctx, "sku-42"))
	fmt.Println(price.Get(ctx, "sku-42")) // from memory
	prices["sku-42"] = 1795
	if _, err := price.Invalidate(ctx, "sku-42"); err != nil { // forgotten here now, everywhere in ms
		log.Fatal(err)
	}
	fmt.Println(price.Get(ctx, "sku-42"))
	// Output:
	// loading sku-42
	// 1995 <nil>
	// 1995 <nil>
	// loading sku-42
	// 1795 <nil>
}

// Writers that do not cache share a typed name with those who do.
func ExampleNode_Invalidate() {
	node, stop := open()
	defer stop()
	ctx := context.Background()
	const (
		Price event.Name[string]          = "catalog.price"
		Page  event.Name2[string, string] = "catalog.page"
	)
	ctx = event.WithReason(ctx, "price list of November")
	token, err := node.Invalidate(ctx, Price.Key("sku-42"), Page.All(), event.Tag("user:42"), event.TagPrefix("chatbot:acme/"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(node.Wait(ctx, token))
	// Output: <nil>
}

func ExampleAddTags() {
	node, stop := open()
	defer stop()
	ctx := context.Background()
	page := lethe.Memoize2(node, "catalog.page", func(ctx context.Context, sku, currency string) (string, error) {
		lethe.AddTags(ctx, "rate:"+currency)
		return sku + " in " + currency, nil
	})
	for _, currency := range []string{"EUR", "USD"} {
		_, _ = page.Get(ctx, "sku-42", currency)
	}
	if _, err := node.Invalidate(ctx, event.Tag("rate:EUR")); err != nil {
		log.Fatal(err)
	}
	_, eur := page.Peek(ctx, "sku-42", "EUR")
	_, usd := page.Peek(ctx, "sku-42", "USD")
	fmt.Println(eur, usd)
	// Output: false true
}

// A loader that calls another memoized function with its ctx goes stale with what it read.
func ExampleFunc_Get_nested() {
	node, stop := open()
	defer stop()
	ctx := context.Background()
	names := map[string]string{"sku-42": "Teapot"}
	product := lethe.Memoize(node, "catalog.product", func(_ context.Context, sku string) (string, error) { return names[sku], nil })
	title := lethe.Memoize(node, "catalog.title", func(ctx context.Context, sku string) (string, error) {
		name, err := product.Get(ctx, sku)
		return "Buy a " + name, err
	})
	fmt.Println(title.Get(ctx, "sku-42"))
	names["sku-42"] = "blue teapot"
	_, _ = product.Invalidate(ctx, "sku-42")
	fmt.Println(title.Get(ctx, "sku-42"))
	// Output:
	// Buy a Teapot <nil>
	// Buy a blue teapot <nil>
}

func ExampleNode_Receive() {
	node, stop := open()
	defer stop()
	ctx := context.Background()
	heard := make(chan struct{})
	err := node.Receive("log", func(_ context.Context, e event.Event) error {
		fmt.Println("forgot", e.Targets, "since", e.ActorID, "changed the", e.Reason)
		close(heard)
		return nil
	}, lethe.ForTags("user"))
	if err != nil {
		log.Fatal(err)
	}
	ctx = event.WithReason(event.WithActor(ctx, "user", "ann"), "address")
	_, _ = node.Invalidate(ctx, event.Tag("user:42"))
	<-heard
	// Output: forgot [tag/user:42] since ann changed the address
}

// A token that travels with a request, as in an HTTP header, makes the next service read what was written.
func ExampleWithToken() {
	node, stop := open()
	defer stop()
	ctx := context.Background()
	version := 1
	f := lethe.Memoize(node, "settings", func(context.Context, string) (int, error) { return version, nil })
	_, _ = f.Get(ctx, "theme")
	version = 2
	token, err := f.Invalidate(ctx, "theme")
	if err != nil {
		log.Fatal(err)
	}
	header := token.String()

	token, err = event.ParseToken(header)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Get(lethe.WithToken(ctx, token), "theme"))
	// Output: 2 <nil>
}

func ExampleFunc_Fill() {
	node, stop := open()
	defer stop()
	ctx := context.Background()
	price := lethe.Memoize(node, "catalog.price", func(_ context.Context, _ string) (int, error) { return 0, errors.New("not warm") })
	_, err := price.Fill(ctx, func(context.Context) (map[string]int, error) {
		return map[string]int{"sku-1": 100, "sku-2": 200}, nil // one query for all of them
	})
	fmt.Println(err)
	fmt.Println(price.Get(ctx, "sku-2"))
	// Output:
	// <nil>
	// 200 <nil>
}

func ExampleFunc_GetMany() {
	node, stop := open()
	defer stop()
	ctx := context.Background()
	load := func(_ context.Context, skus []string) (map[string]int, error) {
		fmt.Println("loading", skus)
		prices := map[string]int{}
		for _, sku := range skus {
			prices[sku] = len(sku)
		}
		return prices, nil
	}
	one := func(ctx context.Context, sku string) (int, error) {
		prices, err := load(ctx, []string{sku})
		return prices[sku], err
	}
	price := lethe.Memoize(node, "catalog.price", one, lethe.WithBatch(load))
	_, _ = price.GetMany(ctx, []string{"a", "bb"})
	fmt.Println(price.GetMany(ctx, []string{"bb", "ccc"}))
	// Output:
	// loading [a bb]
	// loading [ccc]
	// map[bb:2 ccc:3] <nil>
}
