package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a Store in a JSON file. It stands for the database: one writer at a time, any number of readers.
type File string

func (f File) read() (map[string]Product, error) {
	all := map[string]Product{}
	data, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(data, &all)
	return all, err
}

// Product is sql.ErrNoRows when there is none.
func (f File) Product(_ context.Context, sku string) (Product, error) {
	all, err := f.read()
	if err != nil {
		return Product{}, err
	}
	p, ok := all[sku]
	if !ok {
		return Product{}, sql.ErrNoRows
	}
	return p, nil
}

// Products leaves out what there is not.
func (f File) Products(_ context.Context, skus []string) (map[string]Product, error) {
	all, err := f.read()
	if err != nil {
		return nil, err
	}
	found := map[string]Product{}
	for _, sku := range skus {
		if p, ok := all[sku]; ok {
			found[sku] = p
		}
	}
	return found, nil
}

// Rate is in hundredths of a euro.
func (f File) Rate(_ context.Context, currency string) (int64, error) {
	rates := map[string]int64{"EUR": 100, "USD": 92, "CHF": 107}
	rate, ok := rates[currency]
	if !ok {
		return 0, sql.ErrNoRows
	}
	return rate, nil
}

// Save replaces the file whole.
func (f File) Save(_ context.Context, p Product) error {
	all, err := f.read()
	if err != nil {
		return err
	}
	all[p.SKU] = p
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(string(f)), "products-*.json")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), string(f))
}
