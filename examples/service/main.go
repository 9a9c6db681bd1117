// Command service is a product service as a user of Lethe would write it. Start two copies on one file and one NATS server:
//
//	NATS_URL=nats://127.0.0.1:4222 go run ./examples/service -listen 127.0.0.1:9001 -db /tmp/products.json &
//	NATS_URL=nats://127.0.0.1:4222 go run ./examples/service -listen 127.0.0.1:9002 -db /tmp/products.json &
//	curl -i -X PUT 127.0.0.1:9001/p/sku-42 -d '{"name":"Lamp","brand":"acme"}'     # answers with a Lethe-Token
//	curl -i 127.0.0.1:9002/p/sku-42 -H 'Lethe-Token: …'                            # the other copy has the new product
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/lethe-cache/lethe/examples/service/catalog"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:9001", "address to serve on")
	db := flag.String("db", "products.json", "file that holds the products, shared by all copies")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	node, err := lethe.Open(ctx, lethe.Config{URL: os.Getenv("NATS_URL"), Fleet: "shop"})
	if err != nil {
		return err
	}
	s := catalog.New(node, catalog.File(*db))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /p/{sku}", s.Get)
	mux.HandleFunc("PUT /p/{sku}", s.Put)
	server := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, node.Close())
	}
	return node.Close()
}
