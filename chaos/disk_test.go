package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAFullDiskTakesNothingMoreUntilItIsEmptied(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "disk")
	d := mountDisk(dir)
	if d.dir == "" {
		if d.why == nil || d.String() == "" {
			t.Error("no disk, and no reason")
		}
		return
	}
	t.Cleanup(func() {
		if err := d.unmount(); err != nil {
			t.Error(err)
		}
	})
	big := make([]byte, 1<<20)
	if err := d.fill(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "x"), big, 0o600); err == nil {
		t.Error("a full disk took a megabyte")
	}
	if err := d.empty(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "y"), big, 0o600); err != nil {
		t.Error(err)
	}
}
