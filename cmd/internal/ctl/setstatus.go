package ctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/lethe-cache/lethe/internal/document"
)

// StatusChange says what is reported about an object, in JSON: the kind by any of its names; null takes the status away. With a
// resourceVersion or uid it is a conflict where the object has another one.
type StatusChange struct {
	Name
	APIVersion      string          `json:"apiVersion,omitempty"` // that of the kind, where it is given
	ResourceVersion string          `json:"resourceVersion,omitempty"`
	UID             string          `json:"uid,omitempty"`
	Status          json.RawMessage `json:"status"`
}

// ManifestFields are those of a manifest.
func ManifestFields() []string { return []string{"apiVersion", "kind", "metadata", "spec", "status"} }

// MetadataFields are those of its metadata.
func MetadataFields() []string {
	return []string{"namespace", "name", "uid", "resourceVersion", "generation", "creationTimestamp", "labels", "annotations"}
}

// ReadStatus takes the status out of a manifest, with what says of which object it is. All but the status may be left out; spec,
// labels and the like are passed over. The error is a *Refusal.
func ReadStatus(d document.Document) (StatusChange, error) {
	var c StatusChange
	refuse := func(field, format string, args ...any) error {
		no := Refuse(http.StatusUnprocessableEntity, field, "%s: %s", field, fmt.Sprintf(format, args...))
		no.Document, no.Line = d.Index+1, d.Line(field)
		return no
	}
	members := func(field string, data json.RawMessage, known []string) (map[string]json.RawMessage, error) {
		m := map[string]json.RawMessage{}
		if json.Unmarshal(data, &m) != nil {
			return nil, refuse(field, "has to be an object")
		}
		for name := range m {
			if !slices.Contains(known, name) {
				return nil, refuse(document.Member(field, name), "is no field here; what is reported belongs in status")
			}
		}
		return m, nil
	}
	top, err := members("", d.JSON, ManifestFields())
	if err != nil {
		return c, err
	}
	meta := map[string]json.RawMessage{}
	if given, ok := top["metadata"]; ok {
		if meta, err = members("metadata", given, MetadataFields()); err != nil {
			return c, err
		}
	}
	for _, m := range []struct {
		field string
		value json.RawMessage
		to    *string
	}{
		{"apiVersion", top["apiVersion"], &c.APIVersion},
		{"kind", top["kind"], &c.Kind},
		{"metadata.namespace", meta["namespace"], &c.Namespace},
		{"metadata.name", meta["name"], &c.Name.Name},
		{"metadata.resourceVersion", meta["resourceVersion"], &c.ResourceVersion},
		{"metadata.uid", meta["uid"], &c.UID},
	} {
		if m.value != nil && (!bytes.HasPrefix(m.value, []byte{'"'}) || json.Unmarshal(m.value, m.to) != nil) {
			return c, refuse(m.field, "has to be text, write it in quotes")
		}
	}
	if c.Status = top["status"]; c.Status == nil {
		return c, refuse("status", "is missing; give null to take the status away")
	}
	return c, nil
}
