package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// sandbox is a folder with a secret beside it.
func sandbox(t *testing.T) (*folder, string) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "files")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o750); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(top, "secret.txt"), "secret")
	put(t, filepath.Join(dir, "a.txt"), "a")
	put(t, filepath.Join(dir, "sub", "b.txt"), "b")
	f, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, dir
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNoPathLeadsOutOfTheFolder(t *testing.T) {
	t.Parallel()
	f, dir := sandbox(t)
	for name, target := range map[string]string{
		"out.txt":  "../secret.txt",
		"abs.txt":  filepath.Join(filepath.Dir(dir), "secret.txt"),
		"updir":    "..",
		"etc":      "/etc",
		"sub/deep": "../../secret.txt",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]error{
		"../secret.txt":        errPath,
		"/etc/passwd":          errPath,
		"sub/../../secret.txt": errPath,
		"a.txt/":               errPath,
		"./a.txt":              errPath,
		"sub//b.txt":           errPath,
		"":                     errPath,
		".":                    errPath,
		"a\xff.txt":            errPath,
		"a.txt/../secret.txt":  errPath,
		"out.txt":              errOutside,
		"abs.txt":              errOutside,
		"updir/secret.txt":     errOutside,
		"etc/passwd":           errOutside,
		"sub/deep":             errOutside,
		"gone.txt":             fs.ErrNotExist,
		"a.txt/below":          fs.ErrNotExist,
		"sub":                  errNotFile,
	} {
		got, err := f.load(t.Context(), path)
		if !errors.Is(err, want) || got.Content != "" {
			t.Errorf("%q: got %q, %v; want %v", path, got.Content, err, want)
		}
	}
	if _, err := f.load(t.Context(), strings.Repeat("n", 300)); !errors.Is(err, errPath) {
		t.Errorf("a name longer than a file system takes: %v", err)
	}
}

func TestEvenWithoutTheLookAtLinksTheRootHolds(t *testing.T) {
	t.Parallel()
	f, dir := sandbox(t)
	if err := os.Symlink("../secret.txt", filepath.Join(dir, "out.txt")); err != nil {
		t.Fatal(err)
	}
	// A link that is swapped in after resolve has looked meets only this.
	if data, _, err := f.read("out.txt"); err == nil {
		t.Fatalf("read %q from outside", data)
	}
}

func TestALinkInsideIsFollowedAndEveryNameOnTheWayIsATag(t *testing.T) {
	t.Parallel()
	f, dir := sandbox(t)
	for name, target := range map[string]string{"current": "sub", "alias.txt": "current/b.txt", "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	names, err := f.resolve("alias.txt")
	if want := []string{"alias.txt", "current/b.txt", "sub/b.txt"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("got %q, %v; want %q", names, err, want)
	}
	got, err := f.load(t.Context(), "alias.txt")
	if err != nil || got.Content != "b" {
		t.Errorf("got %q, %v", got.Content, err)
	}
	if _, err := f.load(t.Context(), "loop"); !errors.Is(err, errNotFile) {
		t.Errorf("a link to itself: %v", err)
	}
}

func TestOnlyRegularFilesOfBoundedSizeAreRead(t *testing.T) {
	t.Parallel()
	f, dir := sandbox(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.load(t.Context(), "pipe"); !errors.Is(err, errNotFile) {
		t.Errorf("a named pipe: %v", err)
	}
	put(t, filepath.Join(dir, "most"), string(bytes.Repeat([]byte("x"), maxFile)))
	put(t, filepath.Join(dir, "more"), string(bytes.Repeat([]byte("x"), maxFile+1)))
	if got, err := f.load(t.Context(), "most"); err != nil || got.Size != maxFile {
		t.Errorf("a file of the limit: %d, %v", got.Size, err)
	}
	if _, err := f.load(t.Context(), "more"); !errors.Is(err, errTooBig) {
		t.Errorf("a file over the limit: %v", err)
	}
}

func TestContentThatIsNotTextComesAsBase64(t *testing.T) {
	t.Parallel()
	f, dir := sandbox(t)
	put(t, filepath.Join(dir, "raw"), "\xff\x00")
	got, err := f.load(t.Context(), "raw")
	if err != nil || got.Encoding != "base64" || got.Content != "/wA=" {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err = f.load(t.Context(), "a.txt"); err != nil || got.Encoding != "utf-8" || got.Content != "a" ||
		got.SHA256 != "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}
