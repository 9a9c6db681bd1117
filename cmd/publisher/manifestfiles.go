package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/internal/document"
)

// given is a manifest, and the file it was read from.
type given struct {
	file string
	document.Document
}

// at is where a field of it stands, as compilers say it.
func (g given) at(field string) string {
	if line := g.Line(field); line > 0 {
		return fmt.Sprintf("%s:%d", g.file, line)
	}
	return g.file
}

// name is what the manifest is called; parts that are no text are empty, and refused by who applies it.
func (g given) name() ctl.Name {
	var top, meta map[string]json.RawMessage // a struct would take KIND for kind
	if json.Unmarshal(g.JSON, &top) != nil || json.Unmarshal(top["metadata"], &meta) != nil {
		return ctl.Name{}
	}
	var n ctl.Name
	for _, m := range []struct {
		value json.RawMessage
		to    *string
	}{{top["kind"], &n.Kind}, {meta["namespace"], &n.Namespace}, {meta["name"], &n.Name}} {
		if m.value != nil && json.Unmarshal(m.value, m.to) != nil {
			return ctl.Name{}
		}
	}
	return n
}

// misspelt refuses what apply would: of a manifest with a Namespace, the object of that name in the default one would be meant.
func (g given) misspelt() error {
	var top, meta map[string]json.RawMessage
	if json.Unmarshal(g.JSON, &top) != nil || json.Unmarshal(top["metadata"], &meta) != nil {
		return nil //nolint:nilerr // it has no name either, which is said
	}
	for _, part := range []struct {
		field   string
		members map[string]json.RawMessage
		known   []string
	}{{"", top, ctl.ManifestFields()}, {"metadata", meta, ctl.MetadataFields()}} {
		for _, name := range slices.Sorted(maps.Keys(part.members)) {
			if !slices.Contains(part.known, name) {
				field := document.Member(part.field, name)
				return fmt.Errorf("%s: %s is no field here, and nothing was done: there are %s", g.at(field), plain(field), strings.Join(part.known, ", "))
			}
		}
	}
	return nil
}

// readManifests reads files, folders and - for stdin, whole: nothing is sent of a text that can't be read to its end. A file that
// has only comments is passed over beside others.
func readManifests(stdin io.Reader, paths []string, recursive bool) ([]given, error) {
	if len(paths) == 0 {
		return nil, cli.Usagef("no manifests: name a file, a folder or - (standard input) with -f")
	}
	files, err := manifestFiles(paths, recursive)
	if err != nil {
		return nil, cli.Exit(cli.CodeUsage, err)
	}
	var (
		all  []given
		some bool
	)
	room := int64(document.MaxBytes)
	for _, file := range files {
		text, err := readFile(stdin, file, room)
		if err != nil {
			return nil, cli.Exit(cli.CodeUsage, err)
		}
		room -= int64(len(text))
		documents, err := document.Read(text)
		if errors.Is(err, document.ErrEmpty) && len(files) > 1 {
			continue
		}
		if err != nil {
			return nil, inFile(file, err)
		}
		some = true
		for _, d := range documents {
			all = append(all, given{shown(file), d})
		}
	}
	if !some {
		return nil, fmt.Errorf("no manifest in %d files: they are empty, or have comments alone", len(files))
	}
	if len(all) > document.MaxDocuments {
		return nil, fmt.Errorf("%d manifests: at most %d are applied at once, all or nothing: name fewer files", len(all), document.MaxDocuments)
	}
	return all, nil
}

// manifestFiles is every file that is meant, those of a folder by name.
func manifestFiles(paths []string, recursive bool) (files []string, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case path == "-":
			files = append(files, path)
			continue
		case err != nil:
			return nil, fmt.Errorf("-f: %w", err)
		case !info.IsDir():
			files = append(files, path)
			continue
		}
		found, err := inFolder(path, recursive)
		if err != nil {
			return nil, fmt.Errorf("-f: %w", err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("-f %s: no .yaml, .yml or .json file in it (-R looks into folders below)", path)
		}
		files = append(files, found...)
	}
	return files, nil
}

// inFolder is every file of manifests in a folder, or in the one that a link leads to. Links to folders below are not followed.
func inFolder(path string, recursive bool) (files []string, err error) {
	folder, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(folder, func(at string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && at != folder && !recursive:
			return fs.SkipDir
		case !d.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(at)):
			below, err := filepath.Rel(folder, at)
			if err != nil {
				return err
			}
			files = append(files, filepath.Join(path, below))
		}
		return nil
	})
	return files, err
}

func readFile(stdin io.Reader, file string, room int64) (text []byte, err error) {
	from := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("-f: %w", err)
		}
		defer func() { _ = f.Close() }()
		from = f
	}
	if text, err = io.ReadAll(io.LimitReader(from, room+1)); err != nil {
		return nil, fmt.Errorf("-f %s: %w", file, err)
	}
	if int64(len(text)) > room {
		return nil, fmt.Errorf("-f %s: more than %d bytes in all: name fewer files", file, document.MaxBytes)
	}
	return text, nil
}

// inFile says in which file, and on which line, a text could not be read.
func inFile(file string, err error) error {
	var e *document.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", shown(file), err)
	}
	at, field := shown(file), ""
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d", at, e.Line)
	}
	if e.Field != "" {
		field = e.Field + ": "
	}
	return fmt.Errorf("%s: %s%s", at, field, e.Reason)
}

func shown(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// text is the manifests as one text: a line of JSON each, and a line between two.
func text(all []given) []byte {
	var b strings.Builder
	for i, g := range all {
		if i > 0 {
			b.WriteString("---\n")
		}
		b.Write(g.JSON)
		b.WriteByte('\n')
	}
	return []byte(b.String())
}
