package main

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lethe-cache/lethe/cmd/internal/desk"
	"github.com/lethe-cache/lethe/cmd/internal/tail"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// api answers HTTP for one node.
type api struct {
	node      *lethe.Node
	conn      *link
	functions map[string]function
	manifests *manifests // nil: this node has no database
	events    *hub
	ready     atomic.Bool // was the node ever Ready
	draining  atomic.Bool // it was told to end
	ending    ending
	metrics   *prometheus.Registry
	limits    limits
	logger    *slog.Logger
}

// newAPI registers what is memoized and begins to listen to the node's events.
func newAPI(node *lethe.Node, conn *link, files *folder, store *manifest.Store, ttl time.Duration, logger *slog.Logger) (*api, error) {
	a := &api{node: node, conn: conn, functions: map[string]function{}, events: newHub(), ending: ending{shutdown: defaultShutdown}, limits: defaultLimits(), logger: logger}
	if files != nil {
		a.functions[string(fileRead)] = memoizeFiles(node, files, ttl)
	}
	if store != nil {
		a.manifests = &manifests{desk.New(node, store, ttl, logger)}
		maps.Copy(a.functions, a.manifests.functions())
	}
	if err := a.measure(); err != nil {
		return nil, err
	}
	return a, node.Receive("http.events", a.events.receive)
}

// inspect is where the stream stands.
func (a *api) inspect(ctx context.Context) (tail.Stream, error) {
	return tail.Inspect(ctx, a.conn.Conn, a.node.Status().Fleet)
}

// measure gathers what /metrics exports.
func (a *api) measure() error {
	a.metrics = prometheus.NewRegistry()
	all := []prometheus.Collector{
		a.node.Collector(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	if a.manifests != nil {
		all = append(all, a.manifests.Collector())
	}
	for _, c := range all {
		if err := a.metrics.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// adminHandler is what --admin serves.
func (a *api) adminHandler() http.Handler {
	mux := http.NewServeMux()
	a.probes(mux)
	return wellFormed(jsonErrors(mux))
}

// probes is what orchestrators and scrapers ask for. They may add parameters to what takes none.
func (a *api) probes(mux *http.ServeMux) {
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 8}))
	mux.HandleFunc("GET /livez", livez)
	mux.HandleFunc("GET /readyz", taking(a.readyz, "lease"))
}

// handler is everything that is served, behind g.
func (a *api) handler(g *guard) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/functions", taking(a.after(a.listFunctions)))
	mux.HandleFunc("GET /v1/functions/{name}", a.callFunction)
	mux.HandleFunc("GET /v1/functions/{name}/explain", a.after(a.explainKey))
	mux.HandleFunc("POST /v1/invalidate", taking(a.invalidate))
	mux.HandleFunc("GET /v1/wait", taking(a.wait, "token", "timeout"))
	mux.HandleFunc("GET /v1/barrier", taking(a.barrier, "token", "timeout"))
	mux.HandleFunc("GET /v1/status", taking(a.after(a.status)))
	mux.HandleFunc("GET /v1/nodes", taking(a.after(a.nodes)))
	mux.HandleFunc("GET /v1/events", taking(a.streamEvents))
	a.manifestRoutes(mux)
	a.probes(mux)
	mux.HandleFunc("GET /schemas/{file}", serveSchema)
	mux.Handle("GET /{$}", page())
	mux.Handle("GET /page/{file}", page())
	return a.parting(g.wrap(wellFormed(jsonErrors(mux))))
}

// jsonErrors answers what no pattern takes (404, 405) in the form of every other error.
func jsonErrors(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		said := &heard{header: http.Header{}}
		h.ServeHTTP(said, r)
		if allow := said.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		if location := said.header.Get("Location"); location != "" {
			http.Redirect(w, r, location, said.status)
			return
		}
		if said.status == http.StatusMethodNotAllowed {
			writeError(w, bad(said.status, "method", "%s is not taken here: use %s", r.Method, said.header.Get("Allow")))
			return
		}
		writeError(w, bad(said.status, "", "%s", strings.TrimSpace(said.body.String())))
	})
}

// heard takes what a handler of the mux's own says.
type heard struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heard) Header() http.Header         { return h.header }
func (h *heard) WriteHeader(status int)      { h.status = status }
func (h *heard) Write(p []byte) (int, error) { return h.body.Write(p) }
