//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDir keeps a second server out of dir: two on one store destroy it, and the server itself does not look. The kernel
// drops the lock with the process, however it ends.
func lockDir(dir string) (*os.File, error) {
	//nolint:gosec // the folder is the operator's choice
	file, err := os.OpenFile(filepath.Join(dir, "lethe.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		busy := fmt.Errorf("lock: %w", err)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			busy = errors.New("in use by another server; give each its own folder")
		}
		return nil, errors.Join(busy, file.Close())
	}
	return file, nil
}
