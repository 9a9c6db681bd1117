package schemas_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lethe-cache/lethe/schemas"
)

func TestEverySchemaCompilesUnderItsOwnName(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(schemas.FS, "*.json")
	if err != nil || len(files) != 5 {
		t.Fatalf("schemas are %v (%v)", files, err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4) // so that one without $schema fails below
	for _, name := range files {
		text, err := schemas.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.AddResource(schemas.Base()+name, doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for _, name := range files {
		s, err := c.Compile(schemas.Base() + name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var head struct {
			ID string `json:"$id"`
		}
		text, _ := schemas.FS.ReadFile(name)
		if err := json.Unmarshal(text, &head); err != nil || head.ID != schemas.Base()+name || s.DraftVersion != 2020 || s.Title == "" {
			t.Errorf("%s: id %s, draft %d, title %q (%v)", name, head.ID, s.DraftVersion, s.Title, err)
		}
	}
}
