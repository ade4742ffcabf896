package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/capstan-run/capstan/core"
)

// binary is what a plugin's processes execute (law P4).
type binary struct {
	path    string   // for people, and argv[0]
	args    []string // after argv[0]
	builtIn bool

	mu     sync.Mutex
	sum    string // hex SHA-256
	inode  inode  // of the file that sum is of
	pinned string // hex SHA-256 that is allowed; "" for a built-in
}

// inode identifies a file's content as far as the kernel tells without reading.
type inode struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

func inodeOf(f *os.File) (inode, error) {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
		return inode{}, err
	}
	return inode{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim}, nil
}

// open opens the binary and returns it with its hash, computed anew only when
// the inode says that it may have changed.
func (b *binary) open() (*os.File, string, error) {
	f, err := os.Open(b.path)
	if err != nil {
		return nil, "", err
	}
	sum, err := b.hash(f)
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("hash %s: %w", b.path, err)
	}
	return f, sum, nil
}

func (b *binary) hash(f *os.File) (string, error) {
	now, err := inodeOf(f)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sum != "" && b.inode == now {
		return b.sum, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	b.sum, b.inode = hex.EncodeToString(h.Sum(nil)), now
	return b.sum, nil
}

// digest is the file's hash now, "" if it cannot be read.
func (b *binary) digest() string {
	f, sum, err := b.open()
	if err != nil {
		return ""
	}
	f.Close()
	return sum
}

func (b *binary) pin(sum string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pinned = sum
}

// checked opens the binary if it is the pinned one. The path returned executes
// the opened file itself; it is good while f is open.
func (b *binary) checked() (f *os.File, path string, err error) {
	if b.builtIn {
		return nil, "/proc/self/exe", nil
	}
	f, sum, err := b.open()
	if err != nil {
		return nil, "", &core.Error{Kind: core.Internal, What: "plugin binary", Err: err}
	}
	b.mu.Lock()
	pinned := b.pinned
	b.mu.Unlock()
	if sum != pinned {
		f.Close()
		return nil, "", mismatch(b.path, pinned, sum)
	}
	return f, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), nil
}

// unchanged reports whether a process started earlier still runs what the pin
// allows.
func (b *binary) unchanged() bool {
	f, _, err := b.checked()
	if f != nil {
		f.Close()
	}
	return err == nil
}
