package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// maxFile is the largest file that file.read reads.
const maxFile = 1 << 20

// maxLinks is how many symbolic links one path may lead through.
const maxLinks = 40

var (
	errPath    = errors.New("path is not a clean relative path")
	errOutside = errors.New("path leads out of the folder")
	errNotFile = errors.New("not a regular file")
	errTooBig  = errors.New("file is too large")
)

// folder is a sandbox of files: os.Root keeps every access inside it, whatever links and renames do meanwhile.
type folder struct{ root *os.Root }

func openFolder(dir string) (*folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("--files: %w: give a folder this process may read", err)
	}
	return &folder{root}, nil
}

func (f *folder) Close() error { return f.root.Close() }

// resolve follows the symbolic links of name inside the folder and returns every name it went by, the given one first:
// each of them is a name under which somebody may announce that the content has changed.
func (f *folder) resolve(name string) ([]string, error) {
	if strings.IndexByte(name, 0) >= 0 {
		return nil, fmt.Errorf("%q: %w: no name has a zero byte", name, errPath)
	}
	if !fs.ValidPath(name) || name == "." {
		return nil, fmt.Errorf("%q: %w: use '/' between names, no '..', '.', '//' or leading '/'", name, errPath)
	}
	names := []string{name}
	for range maxLinks {
		next, err := f.followOne(names[len(names)-1])
		switch {
		case errors.Is(err, syscall.ENOTDIR): // a name below a file
			return names, fmt.Errorf("%q: %w", name, fs.ErrNotExist)
		case errors.Is(err, syscall.ENAMETOOLONG):
			return names, fmt.Errorf("%w: %w", errPath, err)
		case err != nil || next == "":
			return names, err
		}
		names = append(names, next)
	}
	return names, fmt.Errorf("%q: %w: more than %d symbolic links", name, errNotFile, maxLinks)
}

// followOne replaces the first symbolic link among the components of name; "" when there is none.
func (f *folder) followOne(name string) (string, error) {
	parts := strings.Split(name, "/")
	for i := range parts {
		at := path.Join(parts[:i+1]...)
		info, err := f.root.Lstat(at)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		link, err := f.root.Readlink(at)
		if err != nil {
			return "", err
		}
		next := path.Join(append([]string{path.Dir(at), link}, parts[i+1:]...)...)
		if path.IsAbs(link) || !fs.ValidPath(next) {
			return "", fmt.Errorf("%q: %w: it is a symbolic link to the outside", at, errOutside)
		}
		return next, nil
	}
	return "", nil
}

// read returns the content of a regular file of at most maxFile bytes.
func (f *folder) read(name string) ([]byte, fs.FileInfo, error) {
	// Not to hang on a named pipe.
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case !info.Mode().IsRegular():
		return nil, nil, fmt.Errorf("%q: %w", name, errNotFile)
	case info.Size() > maxFile:
		return nil, nil, tooBig(name)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = tooBig(name)
	}
	return data, info, err
}

func tooBig(name string) error {
	return fmt.Errorf("%q: %w: at most %d bytes are read", name, errTooBig, maxFile)
}
