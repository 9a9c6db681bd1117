package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// diskBytes is how much one server may store when nothing fills its disk.
const diskBytes = 1 << 30

// disk is a small file system of its own, which can be filled up. Without the right to mount one it is none.
type disk struct {
	dir string // "" = none
	why error
}

// mountDisk mounts a tmpfs at dir.
func mountDisk(dir string) *disk {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &disk{why: err}
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)); err != nil {
		return &disk{why: fmt.Errorf("mount: %w", err)}
	}
	store := filepath.Join(dir, "store")
	return &disk{dir: store, why: os.MkdirAll(store, 0o700)}
}

// fill takes all that is left.
func (d *disk) fill() error {
	var st unix.Statfs_t
	if err := unix.Statfs(d.dir, &st); err != nil {
		return err
	}
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	// What is left meanwhile is taken by the server itself: also then it is full.
	err = unix.Fallocate(int(f.Fd()), 0, 0, max(int64(st.Bavail)*st.Bsize, 1))
	if errors.Is(err, unix.ENOSPC) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

func (d *disk) empty() error { return os.Remove(d.filler()) }

func (d *disk) filler() string { return filepath.Join(filepath.Dir(d.dir), "filler") }

func (d *disk) unmount() error {
	if d.dir == "" {
		return nil
	}
	return unix.Unmount(filepath.Dir(d.dir), unix.MNT_DETACH)
}

func (d *disk) String() string {
	if d.dir == "" {
		return fmt.Sprintf("none (%v): the fault is left out", d.why)
	}
	return fmt.Sprintf("a tmpfs of %d MiB under the last server's store", diskBytes>>20)
}
