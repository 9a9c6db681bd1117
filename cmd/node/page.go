package main

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
)

//go:embed page
var pageFiles embed.FS

// page serves the built-in page: plain files, one ES module, no build step.
func page() http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil { // only an invalid name, which "page" is not
		panic(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "index.html"
		if r.URL.Path != "/" {
			name = path.Base(r.URL.Path)
		}
		if _, err := fs.Stat(files, name); err != nil {
			writeError(w, bad(http.StatusNotFound, "file", "no such file"))
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.ServeFileFS(w, r, files, name)
	})
}
