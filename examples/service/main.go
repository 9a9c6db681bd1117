// Command service is a product service as a user of Lethe would write it. Start two copies on one file and one NATS server:
//
//	NATS_URL=nats://127.0.0.1:4222 go run ./examples/service -listen 127.0.0.1:9001 -db /tmp/products.json &
//	NATS_URL=nats://127.0.0.1:4222 go run ./examples/service -listen 127.0.0.1:9002 -db /tmp/products.json &
//	curl -i -X PUT 127.0.0.1:9001/p/sku-42 -d '{"name":"Lamp","brand":"acme"}'     # answers with a Lethe-Token
//	curl -i 127.0.0.1:9002/p/sku-42 -H 'Lethe-Token: …'                            # the other copy has the new product
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/lethe-cache/lethe/examples/internal/web"
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
	drain := flag.Duration("drain", 5*time.Second, "how long to answer on when told to end, while load balancers find out")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("%q: there are flags only, see -help", flag.Args())
	}
	ctx, stop := web.Signals()
	defer stop()
	node, err := lethe.Open(ctx, lethe.Config{URL: os.Getenv("NATS_URL"), Fleet: "shop"})
	if err != nil {
		return err
	}
	s := catalog.New(node, catalog.File(*db))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /p/{sku}", s.Get)
	mux.HandleFunc("PUT /p/{sku}", s.Put)
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", *listen)
	if err != nil {
		return errors.Join(err, node.Close())
	}
	return errors.Join(web.Serve(ctx, listener, mux, node.Ready, *drain), node.Close())
}
