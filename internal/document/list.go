package document

import (
	"encoding/json"
	"strconv"
	"strings"
)

// expand takes a document of kind List, as list commands print it, apart into its items, and one like ThingList that has items.
func (r *reader) expand(d Document) ([]Document, error) {
	kind, ok := isList(d.JSON)
	if !ok {
		return []Document{d}, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(d.JSON, &members); err != nil {
		return nil, r.fail(d.Line(""), "", "can't be read: %v", err)
	}
	for _, name := range d.at.names {
		switch name {
		case "apiVersion", "kind", "metadata", "items":
		default:
			return nil, r.fail(d.Line(Member("", name)), Member("", name), "is no field of a %s, which has items", clip(kind))
		}
	}
	var items []json.RawMessage
	if err := json.Unmarshal(members["items"], &items); err != nil || items == nil {
		return nil, r.fail(d.Line("items"), "items", "a %s needs items, a list of manifests", clip(kind))
	}
	if len(items) > MaxDocuments {
		return nil, r.fail(d.Line("items"), "items", "has %d items, at most %d are allowed; apply it in parts", len(items), MaxDocuments)
	}
	below := d.at.member("items").below
	all := make([]Document, 0, len(items))
	for i, item := range items {
		field := "items[" + strconv.Itoa(i) + "]"
		if item[0] != '{' {
			return nil, r.fail(below[i].line, field, "has to be a manifest; it is %s", what(item))
		}
		if inner, ok := isList(item); ok {
			return nil, r.fail(below[i].line, field, "is a %s in a %s; write its items here", clip(inner), clip(kind))
		}
		at := *below[i].place
		at.line = below[i].line
		all = append(all, Document{Index: d.Index, JSON: item, at: &at})
	}
	return all, nil
}

// isList names the kind of a list: List, or one that ends so, of which items stand at the top, where no manifest has any. It is
// false for what has another kind, or one that is no text, which whoever knows the kinds refuses.
func isList(data []byte) (kind string, ok bool) {
	var (
		members map[string]json.RawMessage // a struct would take KIND for kind
		named   string
	)
	if json.Unmarshal(data, &members) != nil || json.Unmarshal(members["kind"], &named) != nil {
		return "", false
	}
	return named, named == "List" || strings.HasSuffix(named, "List") && len(members["items"]) > 0
}
