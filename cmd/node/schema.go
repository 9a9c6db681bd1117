package main

import (
	"io/fs"
	"net/http"

	"github.com/lethe-cache/lethe/schemas"
)

func serveSchema(w http.ResponseWriter, r *http.Request) {
	data, err := fs.ReadFile(schemas.FS, r.PathValue("file"))
	if err != nil {
		writeError(w, bad(http.StatusNotFound, "file", "no schema %q", r.PathValue("file")))
		return
	}
	w.Header().Set("Content-Type", "application/schema+json")
	_, _ = w.Write(data)
}
