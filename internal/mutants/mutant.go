package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// mutant is one deliberate break, and the tests that promise to notice it.
type mutant struct {
	Name string `json:"name"`
	File string `json:"file"`
	Old  string `json:"old"`
	New  string `json:"new"`
	Pkg  string `json:"pkg"`
	Run  string `json:"run"`
	// Module is the folder of the module that the tests are in, where it is another one of this repository.
	Module string `json:"module"`
}

// load reads every list below root, in a stable order.
func load(root string) ([]mutant, error) {
	var files []string
	for _, pattern := range []string{"*/testdata/mutants.json", "*/*/testdata/mutants.json", "*/*/*/testdata/mutants.json"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	var all []mutant
	var problems []error
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var list []mutant
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&list); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", file, err))
			continue
		}
		for i, m := range list {
			if m.Name == "" || m.File == "" || m.Old == "" || m.Pkg == "" || m.Run == "" {
				problems = append(problems, fmt.Errorf("%s: mutant %d (%q) leaves out name, file, old, pkg or run", file, i, m.Name))
			}
		}
		all = append(all, list...)
	}
	return all, errors.Join(problems...)
}

// write puts the mutated file and the overlay that names it into dir, and returns the overlay's path.
func (m mutant) write(root, dir string) (string, error) {
	original := filepath.Join(root, m.File)
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	if n := bytes.Count(source, []byte(m.Old)); n != 1 {
		return "", fmt.Errorf("%s: the old text stands %d times in the file, want once", m.File, n)
	}
	mutated := filepath.Join(dir, "mutated.go")
	if err := os.WriteFile(mutated, bytes.Replace(source, []byte(m.Old), []byte(m.New), 1), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}
