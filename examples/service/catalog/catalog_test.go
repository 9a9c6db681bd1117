package catalog

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// TestProductChangeReachesTheOtherNode runs two copies of the service on a real in-memory server.
func TestProductChangeReachesTheOtherNode(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	db := File(filepath.Join(t.TempDir(), "products.json"))
	a, b := New(nodes[0], db), New(nodes[1], db)
	ctx := t.Context()
	if err := db.Save(ctx, Product{SKU: "sku-42", Name: "old"}); err != nil {
		t.Fatal(err)
	}
	if p, err := b.page.Get(ctx, "sku-42", "EUR"); err != nil || p.Product.Name != "old" {
		t.Fatalf("page = %+v, %v", p, err)
	}
	if err := db.Save(ctx, Product{SKU: "sku-42", Name: "new"}); err != nil {
		t.Fatal(err)
	}
	tok, err := a.product.Invalidate(ctx, "sku-42")
	if err != nil {
		t.Fatal(err)
	}
	lethetest.WaitAll(t, tok, nodes...)
	if p, err := b.page.Get(ctx, "sku-42", "EUR"); err != nil || p.Product.Name != "new" {
		t.Fatalf("page = %+v, %v", p, err)
	}
}

func TestAWriteThroughOneCopyIsReadThroughTheOtherWithItsToken(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	db := File(filepath.Join(t.TempDir(), "products.json"))
	a, b := New(nodes[0], db), New(nodes[1], db)
	mux := func(s *Service) *http.ServeMux {
		m := http.NewServeMux()
		m.HandleFunc("GET /p/{sku}", s.Get)
		m.HandleFunc("PUT /p/{sku}", s.Put)
		return m
	}
	do := func(m http.Handler, method, token, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "/p/sku-42", strings.NewReader(body))
		r.Header.Set("Lethe-Token", token)
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		return w
	}
	if w := do(mux(b), "GET", "", ""); w.Code != http.StatusNotFound {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	put := do(mux(a), "PUT", "", `{"Name":"Lamp","Brand":"acme"}`)
	if put.Code != http.StatusNoContent || put.Header().Get("Lethe-Token") == "" {
		t.Fatalf("%d %v %s", put.Code, put.Header(), put.Body)
	}
	if w := do(mux(b), "GET", put.Header().Get("Lethe-Token"), ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Lamp") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := do(mux(b), "GET", "lethe1.nonsense", ""); w.Code != http.StatusBadRequest {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}
