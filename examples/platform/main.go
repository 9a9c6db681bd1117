// Platform is a service of an AI-agent platform: it answers what its front end asks from manifests (accounts, users, providers,
// plugins, chatbots), through memoized views that follow every change of them, made by whomever and wherever.
//
// Start lethe-node with a database, then any number of these beside it, on the same database and the same fleet:
//
//	lethe-node --fleet platform --state-dir /var/lib/lethe
//	platform -nats nats://127.0.0.1:4222 -fleet platform -database sqlite:/var/lib/lethe/lethe.db
//	lethe-publisher --fleet platform apply -f examples/platform/kinds -f examples/platform/acme
//	curl http://127.0.0.1:8090/chatbots/acme/helper
//
// blue_harbor is a larger customer: fifty manifests of the seven kinds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/lethe-cache/lethe/examples/internal/web"
	"github.com/lethe-cache/lethe/examples/platform/views"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

type config struct {
	nats, fleet, name, database, http string
	drain                             time.Duration
}

func main() {
	var cfg config
	flag.StringVar(&cfg.nats, "nats", "nats://127.0.0.1:4222", "NATS servers")
	flag.StringVar(&cfg.fleet, "fleet", "platform", "the nodes that forget together")
	flag.StringVar(&cfg.name, "name", "", "name of this node (default: host name and a random suffix)")
	flag.StringVar(&cfg.database, "database", "", "sqlite:FILE or postgres://…, the one the fleet's nodes have")
	flag.StringVar(&cfg.http, "http", "127.0.0.1:8090", "address to answer HTTP on")
	flag.DurationVar(&cfg.drain, "drain", 0, "how long to answer on when told to end; about 5s where load balancers have to find out")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "platform: %q: there are flags only, see -help\n", flag.Args())
		os.Exit(2)
	}
	ctx, stop := web.Signals()
	err := run(ctx, cfg, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "platform:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cfg config, logger *slog.Logger) (err error) {
	if cfg.database == "" {
		return errors.New("-database: name the fleet's database, sqlite:FILE or postgres://…")
	}
	node, err := lethe.Open(ctx, lethe.Config{URL: cfg.nats, Fleet: cfg.fleet, Name: cfg.name, Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	store, err := manifest.Open(ctx, cfg.database, node)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.http)
	if err != nil {
		return err
	}
	logger.Info("serving", "http", "http://"+listener.Addr().String(), "node", node.Status().Name)
	ready := func(ctx context.Context) error { return errors.Join(node.Ready(ctx), store.Ready(ctx)) }
	return web.Serve(ctx, listener, handler(views.New(node, store)), ready, cfg.drain)
}

// handler answers reads. One that brings a Lethe-Token, as an apply answers with it, sees that change.
func handler(v *views.Views) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /chatbots/{namespace}/{name}", answer(v.Chatbot))
	mux.HandleFunc("GET /accounts/{namespace}/{name}", answer(v.Account))
	return mux
}

func answer[V any](f *lethe.Func2[string, string, V]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if text := r.Header.Get("Lethe-Token"); text != "" {
			token, err := event.ParseToken(text)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			ctx = lethe.WithToken(ctx, token)
		}
		got, err := f.Lookup(ctx, r.PathValue("namespace"), r.PathValue("name"))
		switch {
		case errors.Is(err, manifest.ErrNotFound):
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Lethe-Cache", string(got.Cache))
		_ = json.NewEncoder(w).Encode(got.Value)
	}
}
