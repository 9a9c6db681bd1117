package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// files is the folder as it is on disk: the truth that nodes are compared with.
type files struct {
	dir   string
	names []string

	mu      sync.Mutex // guards content
	content map[string]string
}

func scan(dir string) (*files, error) {
	f := &files{dir: dir, content: map[string]string{}}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		f.names = append(f.names, name)
		f.content[name] = string(data)
		return err
	})
	if err == nil && len(f.names) == 0 {
		err = fmt.Errorf("%s has no files", dir)
	}
	return f, err
}

// below are the files whose name begins so.
func (f *files) below(prefix string) (names []string) {
	for _, name := range f.names {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}

func (f *files) text(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.content[name]
}

// A revision is a line at the end of a text, or a member of a JSON object.
func revised(text string, n int) string {
	text = revision.ReplaceAllString(text, "")
	if body, ok := strings.CutSuffix(strings.TrimSpace(text), "}"); ok && strings.HasPrefix(body, "{") {
		return strings.TrimRight(body, " \n") + fmt.Sprintf(",\n  \"revision\": %d\n}\n", n)
	}
	return text + fmt.Sprintf("revision: %d\n", n)
}

var revision = regexp.MustCompile(`(?:,\n {2})?"?revision"?: (\d+)\n?`)

// revisionOf is 0 for a file as it came.
func revisionOf(text string) int {
	found := revision.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1]) // only digits match
	return n
}

// revise writes revision n of a file, whole or not at all.
func (f *files) revise(name string, n int) error {
	text := revised(f.text(name), n)
	path := filepath.Join(f.dir, filepath.FromSlash(name))
	beside := path + ".new"
	if err := os.WriteFile(beside, []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.Rename(beside, path); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.content[name] = text
	return nil
}
