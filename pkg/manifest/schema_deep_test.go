package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestASchemaThatAsksTwiceAboutEachMemberIsRefused(t *testing.T) {
	t.Parallel()
	for _, twice := range []string{
		`"anyOf": [{"properties": {"x": {"$ref": "#/$defs/d%[2]d"}}}, {"properties": {"x": {"$ref": "#/$defs/d%[2]d"}}}]`,
		`"properties": {"x": {"$ref": "#/$defs/d%[2]d"}}, "patternProperties": {"^x": {"$ref": "#/$defs/d%[2]d"}}`,
		`"properties": {"x": {"$ref": "#/$defs/d%[2]d"}}, "allOf": [{"additionalProperties": {"$ref": "#/$defs/d%[2]d"}}]`,
		`"prefixItems": [{"$ref": "#/$defs/d%[2]d"}], "contains": {"$ref": "#/$defs/d%[2]d"}`,
	} {
		var defs []string
		for i := range 30 {
			defs = append(defs, fmt.Sprintf(`"d%[1]d": {`+twice+`}`, i, i+1))
		}
		defs = append(defs, `"d30": {"type": "string"}`)
		schema := `{"type": "object", "$defs": {` + strings.Join(defs, ",") + `}, "properties": {"x": {"$ref": "#/$defs/d0"}}}`
		if !json.Valid([]byte(schema)) {
			t.Fatal(schema)
		}
		var bad *Error
		if _, err := newSchema("spec.schema", []byte(schema)); !errors.As(err, &bad) || !strings.Contains(bad.Reason, "deepest member") {
			t.Errorf("%s: %v", twice, err)
		}
	}
}

func TestASchemaOfATreeIsTaken(t *testing.T) {
	t.Parallel()
	schema := `{"type": "object", "$defs": {"node": {"type": "object", "properties": {
		"name": {"type": "string"}, "left": {"$ref": "#/$defs/node"}, "right": {"$ref": "#/$defs/node"},
		"rest": {"type": "array", "items": {"$ref": "#/$defs/node"}}}}},
		"properties": {"root": {"$ref": "#/$defs/node"}}}`
	if _, err := newSchema("spec.schema", []byte(schema)); err != nil {
		t.Error(err)
	}
}
