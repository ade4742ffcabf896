package plugins

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// longestDir is the longest directory for sockets: go-plugin adds some 45
	// bytes, and a socket's name must fit 107.
	longestDir = 60
	socketDirs = "capstan-plugins-"
)

// socketDir is a short private directory for the sockets of a host whose own
// directory is too long. It is locked for the life of the process that made
// it, however that ends.
type socketDir struct {
	path string
	lock *os.File
}

// socketRoot is where socket directories are made: the folder for temporary
// files, if that is short enough.
func socketRoot() string {
	const random = 10 // digits that os.MkdirTemp adds
	if root := os.TempDir(); len(root)+len("/"+socketDirs)+random <= longestDir {
		return root
	}
	return "/tmp"
}

// newSocketDir makes one below root, and removes those of hosts that were killed.
func newSocketDir(root string) (*socketDir, error) {
	sweepSocketDirs(root)
	for {
		path, err := os.MkdirTemp(root, socketDirs)
		if err != nil {
			return nil, err
		}
		lock, err := lockDir(path)
		if lock != nil || err != nil {
			return &socketDir{path, lock}, err
		}
		// A host that sweeps saw it before it was locked: it is gone, or will be.
	}
}

func (d *socketDir) remove() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}

// sweepSocketDirs removes the directories below root that nobody holds. What
// is not ours to remove stays.
func sweepSocketDirs(root string) {
	entries, _ := os.ReadDir(root) // a folder that cannot be read holds none of ours
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), socketDirs) || !e.IsDir() {
			continue
		}
		path := filepath.Join(root, e.Name())
		if lock, err := lockDir(path); lock != nil && err == nil {
			(&socketDir{path, lock}).remove()
		}
	}
}

// lockDir takes hold of a directory of this user's; nil when somebody else has
// it, or removed it.
func lockDir(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	held, err1 := f.Stat()
	there, err2 := os.Lstat(path)
	if err1 != nil || err2 != nil || !os.SameFile(held, there) || !ours(held) {
		f.Close()
		return nil, nil
	}
	return f, nil
}

func ours(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Getuid()
}
