package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is a module with one function, whose test notices a wrong sum and nothing else.
func tree(t *testing.T, mutants string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                         "module example.dev/sum\n\ngo 1.26\n",
		"pkg/sum/sum.go":                 "package sum\n\nvar calls int\n\nfunc Sum(a, b int) int {\n\tcalls++\n\treturn a + b\n}\n",
		"pkg/sum/sum_test.go":            "package sum\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) {\n\tif Sum(1, 2) != 3 {\n\t\tt.Fatal(\"wrong sum\")\n\t}\n}\n",
		"pkg/sum/testdata/mutants.json":  mutants,
		"pkg/sum/testdata/unrelated.txt": "",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestOnlyAFailingTestCountsAsAKill(t *testing.T) {
	t.Parallel()
	const entry = `{"name": "m", "file": "pkg/sum/sum.go", "old": %OLD, "new": %NEW, "pkg": "./pkg/sum", "run": "%RUN"}`
	for _, tc := range []struct{ name, old, replacement, run, want string }{
		{"a mutant the test notices is killed", `"a + b"`, `"a - b"`, "TestSum", ""},
		{"a mutant no test notices survives", `"calls++"`, `"calls += 2"`, "TestSum", "1 of 1 mutants were not killed"},
		{"a mutant that does not compile is no kill", `"a + b"`, `"a +"`, "TestSum", "1 of 1 mutants were not killed"},
		{"a text that stands twice is an error", `"int"`, `"int64"`, "TestSum", "1 of 1 mutants were not killed"},
		{"a text that is gone is an error", `"a * b"`, `"a / b"`, "TestSum", "1 of 1 mutants were not killed"},
		{"a test that does not exist proves nothing", `"a + b"`, `"a - b"`, "TestOther", "no test that matches"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := strings.NewReplacer("%OLD", tc.old, "%NEW", tc.replacement, "%RUN", tc.run).Replace(entry)
			var out strings.Builder
			err := run(t.Context(), &out, tree(t, "["+m+"]"), 2, "")
			if tc.want == "" {
				if err != nil {
					t.Fatalf("%v\n%s", err, out.String())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q\n%s", err, tc.want, out.String())
			}
		})
	}
}

func TestAMutantIsCaughtByATestOfAnotherModule(t *testing.T) {
	t.Parallel()
	for replacement, caught := range map[string]bool{`"a - b"`: true, `"b + a"`: false} {
		root := tree(t, "[]")
		for name, text := range map[string]string{
			"use/go.mod": "module example.dev/use\n\ngo 1.26\n\nrequire example.dev/sum v0.0.0\n\nreplace example.dev/sum => ..\n",
			"use/use_test.go": "package use\n\nimport (\n\t\"testing\"\n\n\t\"example.dev/sum/pkg/sum\"\n)\n\n" +
				"func TestUse(t *testing.T) {\n\tif sum.Sum(1, 2) != 3 {\n\t\tt.Fatal(\"wrong\")\n\t}\n}\n",
			"use/testdata/mutants.json": `[{"name": "m", "file": "pkg/sum/sum.go", "old": "a + b", "new": ` + replacement +
				`, "module": "use", "pkg": ".", "run": "TestUse"}]`,
		} {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out strings.Builder
		if err := run(t.Context(), &out, root, 1, ""); (err == nil) != caught {
			t.Errorf("%s: %v\n%s", replacement, err, out.String())
		}
	}
}

func TestAnEmptyListIsAnError(t *testing.T) {
	t.Parallel()
	if err := run(t.Context(), &strings.Builder{}, tree(t, "[]"), 1, ""); err == nil {
		t.Fatal("a run that tried nothing passed")
	}
}

func TestAnEntryWithAnUnknownOrMissingFieldIsAnError(t *testing.T) {
	t.Parallel()
	for _, list := range []string{`[{"nam": "m"}]`, `[{"name": "m"}]`} {
		if _, err := load(tree(t, list)); err == nil {
			t.Errorf("%s was read", list)
		}
	}
}

// A mutant whose text is gone from its file is only noticed when it is tried, and most are tried by hand.
func TestEveryMutantOfThisModuleCanBePlanted(t *testing.T) {
	t.Parallel()
	list, err := load("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 400 {
		t.Errorf("only %d mutants were found", len(list))
	}
	for _, m := range list {
		if _, err := m.write("../..", t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}
