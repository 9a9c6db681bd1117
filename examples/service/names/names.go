// Package names is what writers and readers share: a program that only writes imports it and not the cache.
package names

import "github.com/lethe-cache/lethe/pkg/event"

// Wire names of the catalog's memoized functions.
const (
	Product event.Name[string]          = "catalog.product"
	Page    event.Name2[string, string] = "catalog.page"
)
