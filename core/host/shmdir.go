package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A gang has a second directory, in shared memory, where Config.Shm is one. It
// is found by the name of the first and has a link to it, made after the first
// and removed before it: one whose link leads nowhere is nobody's.
const (
	shmPrefix = "capstan-gang-"
	shmLink   = ".gang"
)

// shmDir is the directory in shared memory of the gang whose directory is dir;
// "" if it has none.
func (h *Host) shmDir(dir string) string {
	path := h.shmPath(dir)
	if path == "" {
		return ""
	}
	if _, err := os.Lstat(filepath.Join(path, shmLink)); err != nil {
		return ""
	}
	return path
}

func (h *Host) shmPath(dir string) string {
	if h.cfg.Shm == "" || dir == "" {
		return ""
	}
	return filepath.Join(h.cfg.Shm, shmPrefix+filepath.Base(dir))
}

// makeShmDir makes it. A gang does without where that cannot be: what it would
// keep in memory goes to the disk.
func (h *Host) makeShmDir(dir string) {
	path := h.shmPath(dir)
	if path == "" {
		return
	}
	err := os.Mkdir(path, 0o700)
	if err == nil {
		err = os.Symlink(dir, filepath.Join(path, shmLink))
	}
	if err == nil {
		err = h.own(path)
	}
	if err != nil {
		h.log.Warn("a gang has no shared memory", "err", err)
		os.RemoveAll(path)
	}
}

// sweepShmDirs removes those in shared memory whose gang is gone, whichever
// host's it was: they take memory until the machine starts anew.
func (h *Host) sweepShmDirs() {
	if h.cfg.Shm == "" {
		return
	}
	found, _ := filepath.Glob(filepath.Join(h.cfg.Shm, shmPrefix+"*")) // the pattern is well formed
	for _, path := range found {
		gang, err := os.Readlink(filepath.Join(path, shmLink))
		if err != nil {
			continue // another user's, or not made yet
		}
		if _, err := os.Lstat(gang); errors.Is(err, fs.ErrNotExist) {
			os.RemoveAll(path)
		}
	}
}
