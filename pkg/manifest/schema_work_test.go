package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// listOf is a JSON array of n texts.
func listOf(n int, text func(i int) string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = text(i)
	}
	return "[" + strings.Join(all, ",") + "]"
}

func mustSchema(t *testing.T, text string) *schema {
	t.Helper()
	s, err := newSchema("spec.schema", json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCheckThatTakesTooLongIsRefused: without the bound each of these takes minutes or more on any machine.
func TestCheckThatTakesTooLongIsRefused(t *testing.T) {
	t.Parallel()
	const many = 20_000
	small := func(i int) string { return fmt.Sprintf(`{"a":%d}`, i) }
	constant := func(i int) string { return fmt.Sprintf(`{"const":%d}`, i) }
	missing := func(int) string { return `{"a":-1}` }
	items := func(item string) string {
		return `{"type":"object","properties":{"items":{"type":"array",` + item + `}}}`
	}
	for name, tc := range map[string]struct{ schema, item string }{
		"enum of objects":                    {items(`"items":{"enum":` + listOf(many, small) + `}`), `{"a":-1}`},
		"enum behind a ref":                  {`{"type":"object","$defs":{"e":{"enum":` + listOf(many, small) + `}},"properties":{"items":{"type":"array","items":{"$ref":"#/$defs/e"}}}}`, `{"a":-1}`},
		"enum in contains":                   {items(`"contains":{"enum":` + listOf(many, small) + `}`), `{"a":-1}`},
		"forms":                              {items(`"items":{"anyOf":` + listOf(4000, constant) + `}`), `-1`},
		"members that have to be":            {items(`"items":{"type":"object","required":` + listOf(many, func(i int) string { return fmt.Sprintf(`"m%d"`, i) }) + `}`), `{"a":-1}`},
		"names that have to be apt":          {items(`"items":{"type":"object","propertyNames":{"enum":` + listOf(many, func(i int) string { return fmt.Sprintf(`"m%d"`, i) }) + `}}`), `{"a":-1}`},
		"a long pattern and texts":           {items(`"items":{"pattern":"` + strings.Repeat("(a|b|c)*", 500) + `d"}`), `"` + strings.Repeat("a", 40) + `"`},
		"a short pattern, long as a program": {items(`"items":{"pattern":"` + strings.Repeat("(a|.{999})", 40) + `"}`), `"` + strings.Repeat("a", 40) + `"`},
		"long patterns of the names":         {items(`"items":{"patternProperties":{"` + strings.Repeat("(a|b|c)*", 2000) + `d":{}}}`), `{"` + strings.Repeat("a", 20) + `":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustSchema(t, tc.schema)
			spec, err := decoded(json.RawMessage(`{"items":` + listOf(many, func(int) string { return tc.item }) + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.conform(spec); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "steps to check") {
				t.Errorf("%.200v", err)
			}
			few, err := decoded(json.RawMessage(`{"items":` + listOf(2, missing) + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.conform(few); err != nil && strings.Contains(err.Error(), "steps to check") {
				t.Errorf("two items: %v", err)
			}
		})
	}
}

func TestLongListsOfOrdinaryValuesAreChecked(t *testing.T) {
	t.Parallel()
	countries := listOf(250, func(i int) string { return fmt.Sprintf(`"%c%c"`, 'A'+i/26, 'A'+i%26) })
	s := mustSchema(t, `{"type":"object","properties":{
		"countries":{"type":"array","items":{"enum":`+countries+`}},
		"people":{"type":"array","items":{"type":"object","required":["name"],"properties":{
			"name":{"type":"string","pattern":"^[A-Za-z ]{1,64}$"},"age":{"type":"integer","minimum":0},
			"at":{"oneOf":[{"type":"string"},{"type":"object","properties":{"street":{"type":"string"}}}]}}}}}}`)
	spec, err := decoded(json.RawMessage(`{
		"countries":` + listOf(40_000, func(i int) string { return fmt.Sprintf(`"%c%c"`, 'A'+i%9, 'A'+i%26) }) + `,
		"people":` + listOf(5_000, func(i int) string {
		return fmt.Sprintf(`{"name":"Some Body","age":%d,"at":{"street":"Long Road %d"}}`, i%90, i)
	}) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.conform(spec); err != nil {
		t.Error(err)
	}
}

func TestOnlyAFewOfManyProblemsAreWorded(t *testing.T) {
	t.Parallel()
	s := mustSchema(t, `{"type":"object","properties":{`+strings.Trim(listOf(500, func(i int) string { return fmt.Sprintf(`"known-%d":{}`, i) }), "[]")+`}}`)
	spec, err := decoded(json.RawMessage(`{` + strings.Trim(listOf(500, func(i int) string { return fmt.Sprintf(`"unknown-%d":1`, i) }), "[]") + `}`))
	if err != nil {
		t.Fatal(err)
	}
	err = s.conform(spec)
	if all := Problems(err); len(all) != maxProblems+1 || !strings.Contains(err.Error(), fmt.Sprintf("and %d more problems", 500-maxProblems)) {
		t.Errorf("%d: %.300v", len(all), err)
	}
}

func TestANumberOfTooManyDigitsIsRefusedByField(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat("7", mostDigits)
	for text, field := range map[string]string{
		`{"a":{"b":[1,` + digits + `7]}}`: "spec.a.b[1]", `{"a":"` + digits + `7"}`: "", `{"a":` + digits + `}`: "",
		`{"\\":1,"a":-` + digits + `}`: "spec.a", `{"a":"\"","b":` + digits + `0}`: "spec.b", `{"a":1.` + digits + `}`: "spec.a",
	} {
		_, err := canonical("spec", json.RawMessage(text))
		if field == "" {
			if err != nil {
				t.Errorf("%.60s: %v", text, err)
			}
			continue
		}
		bad := (*Error)(nil)
		if !errors.As(err, &bad) || bad.Field != field || !strings.Contains(bad.Reason, "at most 1000") {
			t.Errorf("%.60s: %.200v", text, err)
		}
	}
	if _, err := newSchema("spec.schema", json.RawMessage(`{"type":"object","properties":{"n":{"minimum":`+digits+`7}}}`)); err == nil {
		t.Error("a schema with such a number is taken")
	}
}

// TestEachKeywordCostsWhatItTakes: the engine takes time in proportion to what is counted here; a step is a schema asked about a value.
func TestEachKeywordCostsWhatItTakes(t *testing.T) {
	t.Parallel()
	const n = 10_000
	long := `"` + strings.Repeat("a", n) + `"`
	numbers := func(n int) string { return listOf(n, func(i int) string { return fmt.Sprint(1000 + i) }) }
	members := `{` + strings.Trim(listOf(n, func(i int) string { return fmt.Sprintf(`"m%d":1`, i) }), "[]") + `}`
	forms := strings.Trim(listOf(100, func(int) string { return `{"minProperties":1}` }), "[]")
	for name, tc := range map[string]struct {
		schema, value string
		least         int
	}{
		"a pattern":                     {`{"pattern":"^[a-z]+$"}`, long, n / 4},
		"a pattern, long as a program":  {`{"pattern":"(.?){500}z"}`, long, 30 * n},
		"characters are counted":        {`{"maxLength":5}`, long, n / 100},
		"a format":                      {`{"format":"email"}`, long, n / 8},
		"a format by a pattern":         {`{"format":"duration"}`, long, n / 4},
		"a format of patterns":          {`{"format":"regex"}`, long, 30 * n},
		"numbers are fractions":         {`{"items":{"type":"integer"}}`, numbers(n), 3 * n},
		"numbers have bounds":           {`{"items":{"multipleOf":3,"minimum":1}}`, numbers(n), 5 * n},
		"numbers with exponents":        {`{"items":{"minimum":1}}`, listOf(n, func(int) string { return "1e300" }), 15 * n},
		"numbers among numbers":         {`{"items":{"enum":` + numbers(100) + `}}`, numbers(n), 200 * n},
		"objects among objects":         {`{"items":{"enum":` + listOf(100, func(i int) string { return fmt.Sprintf(`{"a":%d}`, i) }) + `}}`, listOf(n, func(i int) string { return fmt.Sprintf(`{"a":%d}`, i) }), 200 * n},
		"few long elements that differ": {`{"uniqueItems":true}`, listOf(20, func(int) string { return numbers(n / 100) }), 20 * n / 100 * 2 * 9},
		"members, form by form":         {`{"anyOf":[` + forms + `]}`, members, 100 * n / 10},
		"members that are listed":       {`{"unevaluatedProperties":true,"anyOf":[` + forms + `]}`, members, 100 * n},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustSchema(t, `{"type":"object","properties":{"v":`+tc.schema+`}}`)
			spec, err := decoded(json.RawMessage(`{"v":` + tc.value + `}`))
			if err != nil {
				t.Fatal(err)
			}
			const plenty = 1 << 40
			w := newWork(s.root, s.programs, plenty)
			w.value(s.root, spec)
			if took := plenty - w.left; took < tc.least {
				t.Errorf("%d steps, want %d at least", took, tc.least)
			}
		})
	}
}

// A check takes seconds at most, however long the spec.
func TestWorkOfALongSpecHasABound(t *testing.T) {
	t.Parallel()
	s := mustSchema(t, `{"type":"object","properties":{"items":{"type":"array","items":{"pattern":"^([a-z]+[0-9]?){1,40}$"}}}}`)
	spec, err := decoded(json.RawMessage(`{"items":` + listOf(100, func(int) string { return `"` + strings.Repeat("a", 10_000) + `"` }) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if bound(spec) != mostWork {
		t.Errorf("%d steps", bound(spec))
	}
	if err := s.conform(spec); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "steps to check") {
		t.Errorf("%.200v", err)
	}
}

func TestASchemaWithTooLongPatternsIsRefusedBeforeTheyAreMade(t *testing.T) {
	t.Parallel()
	patterns := strings.Trim(listOf(2000, func(i int) string { return fmt.Sprintf(`"p%d":{"pattern":"x%d.{1000}"}`, i, i) }), "[]")
	_, err := newSchema("spec.schema", json.RawMessage(`{"type":"object","properties":{`+patterns+`}}`))
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "patterns") {
		t.Errorf("%.200v", err)
	}
}

// Each unknown field is worded with the names of those there are.
func TestManyUnknownFieldsAreFoundInBoundedWork(t *testing.T) {
	t.Parallel()
	s := mustSchema(t, `{"type":"object","properties":{`+strings.Trim(listOf(2000, func(i int) string { return fmt.Sprintf(`"known-%d":{}`, i) }), "[]")+`}}`)
	spec, err := decoded(json.RawMessage(`{` + strings.Trim(listOf(20_000, func(i int) string { return fmt.Sprintf(`"unknown-%d":1`, i) }), "[]") + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.conform(spec); len(Problems(err)) != maxProblems+1 || !strings.Contains(err.Error(), "and 19990 more problems") {
		t.Errorf("%.300v", err)
	}
}
