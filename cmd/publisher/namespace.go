package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// defaultNamespace is that of objects which say none.
const defaultNamespace = "default"

// intoNamespace puts manifests that name no namespace into that of -n, where it was given. One that names another is a
// contradiction. Kinds are in no namespace but the default one.
func (o *options) intoNamespace(cmd *cobra.Command, all []given) error {
	if !cmd.Flags().Changed("namespace") {
		return nil
	}
	for i := range all {
		g := &all[i]
		switch n := g.name(); {
		case strings.EqualFold(n.Kind, "Kind"), n.Namespace == o.namespace:
		case n.Namespace != "":
			return fmt.Errorf("%s: metadata.namespace: is %q, and -n says %q: leave one of them out", g.at("metadata.namespace"), plain(n.Namespace), o.namespace)
		default:
			g.JSON = withNamespace(g.JSON, o.namespace)
		}
	}
	return nil
}

// withNamespace is an object with that namespace. What has no metadata to put it in stays as it is, and is refused by who applies it.
func withNamespace(object json.RawMessage, namespace string) json.RawMessage {
	var o, meta map[string]json.RawMessage
	if json.Unmarshal(object, &o) != nil || json.Unmarshal(o["metadata"], &meta) != nil || meta == nil {
		return object
	}
	name, err := json.Marshal(namespace)
	if err != nil {
		return object
	}
	meta["namespace"] = name
	if o["metadata"], err = json.Marshal(meta); err != nil {
		return object
	}
	whole, err := json.Marshal(o)
	if err != nil {
		return object
	}
	return whole
}
