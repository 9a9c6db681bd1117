package manifest

import (
	"encoding/json"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/lethe-cache/lethe/internal/document"
)

// diffText is what changes from the stored object to the new one, as a unified diff of YAML; "" when nothing does. What the
// store makes by itself (uid, versions, status) is left out. A zero Object is none.
func diffText(stored, applied Object) string {
	before, after := yamlText(stored), yamlText(applied)
	if before == after {
		return ""
	}
	named := applied
	if named.Kind == "" {
		named = stored
	}
	name := named.Kind + " " + named.Metadata.Namespace + "/" + named.Metadata.Name
	return udiff.Unified("stored  "+name, "applied "+name, before, after)
}

// yamlText is an object as YAML, without what is nobody's to write.
func yamlText(o Object) string {
	if o.Kind == "" && o.Metadata.Name == "" && len(o.Spec) == 0 {
		return ""
	}
	if len(o.Spec) == 0 {
		o.Spec = json.RawMessage("{}")
	}
	text, err := shownObject(o)
	if err == nil {
		if text, err = document.YAML(text); err == nil {
			return string(text)
		}
	}
	return strings.TrimSpace(string(o.Spec)) + "\n" // only of a spec that is no JSON
}
