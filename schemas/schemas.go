package schemas

import "embed"

// base is where the files can be fetched, and what their $id begins with.
const base = "https://lethe-cache.dev/schemas/"

// FS holds the schemas (*.json) and examples of what they describe (examples/*.json).
//
//go:embed *.json examples/*.json
var FS embed.FS

// Base is the URI that every schema's $id begins with; a file's name follows.
func Base() string { return base }
