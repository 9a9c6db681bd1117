package desk

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// The memoized functions over manifests. What they read they record by reading it: nothing is declared here. A kind has one
// name in their keys, however it was asked for.
const (
	GetName  event.Name3[string, string, string] = "manifest.get"  // kind, namespace, name
	ListName event.Name2[string, string]         = "manifest.list" // kind, namespace; "" is all of them
	KindName event.Name[string]                  = "manifest.kind" // the kind that has this name, plural or short name
)

// Desk is the manifests of a node. It is safe for concurrent use.
type Desk struct {
	store *manifest.Store
	node  *lethe.Node
	get   *lethe.Func3[string, string, string, json.RawMessage]
	list  *lethe.Func2[string, string, ctl.Page]
	kind  *lethe.Func[string, string]

	outbox outboxLook
	log    *slog.Logger
	most   time.Duration // one request to the database
}

// New memoizes reads of store on node, for as long as ttl. Both stay the caller's to close. A request that the database does not
// answer within DatabaseFor ends with a refusal of code 504, and is logged, as is a slow one.
func New(node *lethe.Node, store *manifest.Store, ttl time.Duration, log *slog.Logger) *Desk {
	d := &Desk{store: store, node: node, log: log, most: DatabaseFor}
	options := []lethe.Option{lethe.WithTTL(ttl), lethe.WithNegative(ttl, manifest.ErrNotFound)}
	d.get = lethe.Memoize3(node, GetName, d.loadObject, options...)
	d.list = lethe.Memoize2(node, ListName, d.loadList, options...)
	d.kind = lethe.Memoize(node, KindName, d.loadKind, options...)
	return d
}

// Collector exports the metrics of the store.
func (d *Desk) Collector() prometheus.Collector { return d.store.Collector() }

func (d *Desk) loadObject(ctx context.Context, kind, namespace, name string) (json.RawMessage, error) {
	o, err := d.store.Get(ctx, kind, namespace, name)
	if err != nil {
		return nil, err
	}
	return json.Marshal(o)
}

func (d *Desk) loadList(ctx context.Context, kind, namespace string) (ctl.Page, error) {
	return d.gather(ctx, kind, manifest.ListOptions{Namespace: namespace, Limit: MaxListed}, MaxListedBytes)
}

func (d *Desk) loadKind(ctx context.Context, name string) (string, error) {
	k, err := d.store.Kind(ctx, name)
	return k.Kind, err
}

// Named is the kind that has this name, plural or short name, in any case. That there is none is remembered as well.
func (d *Desk) Named(ctx context.Context, kind string) (lethe.Result[string], error) {
	return bounded(ctx, d, operation{name: "kind"}, func(ctx context.Context) (lethe.Result[string], error) {
		r, err := d.kind.Lookup(ctx, strings.ToLower(kind))
		if errors.Is(err, manifest.ErrNotFound) {
			return r, noKind(kind)
		}
		return r, refused(err)
	})
}

// Lookup is an object, from memory where it may be. What there is none of is remembered as well.
func (d *Desk) Lookup(ctx context.Context, n ctl.Name) (lethe.Result[json.RawMessage], error) {
	return bounded(ctx, d, operation{name: "get"}, func(ctx context.Context) (lethe.Result[json.RawMessage], error) {
		kind, err := d.Named(ctx, n.Kind)
		if err != nil {
			return lethe.Result[json.RawMessage]{Cache: kind.Cache, Age: kind.Age}, err
		}
		namespace := orDefault(n.Namespace)
		r, err := d.get.Lookup(ctx, kind.Value, namespace, n.Name)
		if errors.Is(err, manifest.ErrNotFound) {
			return r, noObject(kind.Value, namespace, n.Name)
		}
		return r, refused(err)
	})
}

// LookupList is all objects of a kind, in a namespace or ("") in all of them, from memory where it may be: as many as a page
// may have.
func (d *Desk) LookupList(ctx context.Context, kind, namespace string) (lethe.Result[ctl.Page], error) {
	return bounded(ctx, d, operation{name: "list"}, func(ctx context.Context) (lethe.Result[ctl.Page], error) {
		k, err := d.Named(ctx, kind)
		if err != nil {
			return lethe.Result[ctl.Page]{Cache: k.Cache, Age: k.Age}, err
		}
		r, err := d.list.Lookup(ctx, k.Value, namespace)
		if errors.Is(err, manifest.ErrNotFound) {
			return r, noKind(kind)
		}
		return r, refused(err)
	})
}

// Key is what Lookup is memoized under.
func (d *Desk) Key(ctx context.Context, n ctl.Name) (event.Target, error) {
	kind, err := d.Named(ctx, n.Kind)
	return GetName.Key(kind.Value, orDefault(n.Namespace), n.Name), err
}

// ListKey is what LookupList is memoized under.
func (d *Desk) ListKey(ctx context.Context, kind, namespace string) (event.Target, error) {
	k, err := d.Named(ctx, kind)
	return ListName.Key(k.Value, namespace), err
}

// KindKey is what Named is memoized under.
func (*Desk) KindKey(kind string) event.Target { return KindName.Key(strings.ToLower(kind)) }

// orDefault is a namespace as manifests have it.
func orDefault(namespace string) string {
	if namespace == "" {
		return "default"
	}
	return namespace
}
