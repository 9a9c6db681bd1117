package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFilesOfManifestsAreFoundAndThoseOfCommentsPassedOver(t *testing.T) {
	t.Parallel()
	const thing = "apiVersion: example.dev/v1\nkind: Thing\nmetadata: {name: a}\n"
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for name, text := range map[string]string{
		"real/one.yaml": thing, "real/off.yaml": "# switched off\n", "real/below/two.json": `{"kind": "Thing"}`, "real/notes.txt": "no manifest",
		"off/one.yaml": "# off\n---\n# as well\n", "off/two.yml": "",
	} {
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link": "real", "again": "link", "real/below/linked.yaml": "../one.yaml"} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		paths     []string
		recursive bool
		want      []string // the files, or what the error has
	}{
		{[]string{"real"}, false, []string{"real/one.yaml"}},
		{[]string{"link"}, false, []string{"link/one.yaml"}},
		{[]string{"again"}, true, []string{"again/below/linked.yaml", "again/below/two.json", "again/one.yaml"}},
		{[]string{"real/off.yaml", "real/one.yaml"}, false, []string{"real/one.yaml"}},
		{[]string{"real/off.yaml"}, false, []string{"error: ", "off.yaml: the text has no document"}},
		{[]string{"off"}, false, []string{"error: ", "no manifest in 2 files: they are empty, or have comments alone"}},
		{[]string{"gone"}, false, []string{"error: ", "gone"}},
	} {
		paths := make([]string, len(c.paths))
		for i, path := range c.paths {
			paths[i] = at(path)
		}
		all, err := readManifests(strings.NewReader(""), paths, c.recursive)
		if c.want[0] == "error: " {
			if err == nil || !strings.Contains(err.Error(), c.want[1]) {
				t.Errorf("%v: %v, want %s", c.paths, err, c.want[1])
			}
			continue
		}
		var got []string
		for _, g := range all {
			got = append(got, filepath.ToSlash(strings.TrimPrefix(g.file, dir+string(filepath.Separator))))
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, %v; want %v", c.paths, got, err, c.want)
		}
	}
}
