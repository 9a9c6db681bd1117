// Package catalog is a product service: two memoized functions, one calling the other, and a write handler.
package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/lethe-cache/lethe/examples/service/names"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// Product is a row.
type Product struct {
	SKU   string `json:"sku"`
	Name  string `json:"name"`
	Brand string `json:"brand"`
}

// Page is a view over a product and a rate.
type Page struct {
	Product  Product `json:"product"`
	Currency string  `json:"currency"`
	Rate     int64   `json:"rate"`
}

// Store is where products are kept.
type Store interface {
	Product(ctx context.Context, sku string) (Product, error)
	Products(ctx context.Context, skus []string) (map[string]Product, error)
	Rate(ctx context.Context, currency string) (int64, error)
	Save(ctx context.Context, p Product) error
}

// Service answers from memory and forgets on hearing an event.
type Service struct {
	db      Store
	product *lethe.Func[string, Product]
	page    *lethe.Func2[string, string, Page]
}

// New memoizes the service's functions on node.
func New(node *lethe.Node, db Store) *Service {
	s := &Service{db: db}
	s.product = lethe.Memoize(node, names.Product, db.Product,
		lethe.WithTTL(10*time.Minute),
		lethe.WithBatch(db.Products),
		lethe.WithTags(func(_ string, p Product) []string { return []string{"brand:" + p.Brand} }),
		lethe.WithNegative(time.Minute, sql.ErrNoRows),
		lethe.WithPolicy(lethe.ServeStale(5*time.Minute)))
	s.page = lethe.Memoize2(node, names.Page, s.loadPage)
	return s
}

func (s *Service) loadPage(ctx context.Context, sku, currency string) (Page, error) {
	p, err := s.product.Get(ctx, sku) // the page now depends on the product
	if err != nil {
		return Page{}, err
	}
	lethe.AddTags(ctx, "rate:"+currency)
	rate, err := s.db.Rate(ctx, currency)
	return Page{p, currency, rate}, err
}

// Get answers with a page. With the token of a write it waits until this node has applied that.
func (s *Service) Get(w http.ResponseWriter, r *http.Request) {
	tok, err := event.ParseToken(r.Header.Get("Lethe-Token")) // "" is the zero Token
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	page, err := s.page.Lookup(lethe.WithToken(r.Context(), tok), r.PathValue("sku"), "EUR")
	switch {
	case errors.Is(err, sql.ErrNoRows):
		http.NotFound(w, r)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.Header().Set("Cache-Status", "lethe; "+string(page.Cache))
		_ = json.NewEncoder(w).Encode(page.Value) //nolint:errchkjson // strings and numbers; the client may have left
	}
}

// Put saves a product, then says that it changed; the answer carries the token.
func (s *Service) Put(w http.ResponseWriter, r *http.Request) {
	var p Product
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&p); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.SKU = r.PathValue("sku")
	if err := s.db.Save(r.Context(), p); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	tok, err := s.product.Invalidate(r.Context(), p.SKU)
	if err != nil { // saved, and forgotten here; other nodes learn of it late
		w.Header().Set("Warning", `199 lethe "not announced"`)
	}
	w.Header().Set("Lethe-Token", tok.String())
	w.WriteHeader(http.StatusNoContent)
}
