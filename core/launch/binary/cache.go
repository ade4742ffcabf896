// Package binary keeps private copies of init binaries, named by their
// content, so that rebuilding a program disturbs no executor started from it
// and an executor started later runs what the host was told to run.
//
// # Laws
//
//	B1  A copy is complete or absent: it is written aside and renamed, and its
//	    size is compared before use, since a power failure may cut it short.
//	B2  A copy is never changed. Its name is the SHA-256 of its content.
//	B3  A file whose device, inode, size and modification time are known is
//	    not read again.
//
// A hard link would be cheaper than a copy, but a program that is overwritten
// in place (cp new old) would change under its name.
package binary

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/capstan-run/capstan/core"
)

// keepUnused is how long a copy stays after its last use.
const keepUnused = 7 * 24 * time.Hour

// running is the file of the running program, even after its path was
// replaced or removed.
const running = "/proc/self/exe"

// Cache is a folder of copies. Methods are safe for concurrent use, also by
// several processes on one folder.
type Cache struct {
	dir   string
	mu    sync.Mutex
	known map[identity]string
}

// identity tells files apart without reading them.
type identity struct {
	dev, ino    uint64
	size, mtime int64
}

// Open makes dir when it is missing and removes copies unused for a week
// before now. An executor that still runs from a removed copy keeps it until
// its end.
func Open(dir string, now time.Time) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open binary cache: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open binary cache: %w", err)
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil && now.Sub(info.ModTime()) > keepUnused {
			os.Remove(filepath.Join(dir, f.Name()))
		}
	}
	return &Cache{dir: dir, known: map[identity]string{}}, nil
}

// Path returns the path of a copy of the program at path, mode 0555. "" is
// the running program.
func (c *Cache) Path(path string) (string, error) {
	source := path
	if source == "" {
		source = running
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p, err := c.lookup(source)
	if err != nil {
		if path == "" {
			path = "the running program"
		}
		return "", (&core.Error{Kind: core.Internal, What: "keep a copy of the executor's binary", Err: err}).
			At(path).Do("check that the binary exists and that the state directory has space")
	}
	return p, nil
}

func (c *Cache) lookup(source string) (string, error) {
	in, err := os.Open(source)
	if err != nil {
		return "", err
	}
	defer in.Close()
	id, err := identify(in)
	if err != nil {
		return "", err
	}
	if p, ok := c.known[id]; ok {
		if c.touch(p, id.size) {
			return p, nil
		}
	} else if p, ok := c.noted(id); ok {
		c.known[id] = p
		return p, nil
	}
	p, err := c.copy(in)
	if err != nil {
		return "", err
	}
	c.known[id] = p
	// The note only saves a later start the reading: without it nothing breaks.
	os.Symlink(filepath.Base(p), c.note(id))
	return p, nil
}

// note is the path of a link, named for an identity, to the copy it had.
func (c *Cache) note(id identity) string {
	return filepath.Join(c.dir, fmt.Sprintf("%x-%x-%x-%x", id.dev, id.ino, id.size, id.mtime))
}

func (c *Cache) noted(id identity) (string, bool) {
	name, err := os.Readlink(c.note(id))
	if err != nil {
		return "", false
	}
	p := filepath.Join(c.dir, filepath.Base(name))
	return p, c.touch(p, id.size)
}

// touch marks a copy as used and reports whether it is there and whole.
func (c *Cache) touch(p string, size int64) bool {
	info, err := os.Stat(p)
	if err != nil || info.Size() != size {
		return false
	}
	now := time.Now()
	return os.Chtimes(p, now, now) == nil
}

func (c *Cache) copy(in io.Reader) (string, error) {
	out, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, sum), in); err != nil {
		return "", err
	}
	if err := out.Chmod(0o555); err != nil {
		return "", err
	}
	if err := out.Close(); err != nil { // an open writer makes exec fail with ETXTBSY
		return "", err
	}
	p := filepath.Join(c.dir, hex.EncodeToString(sum.Sum(nil)))
	return p, os.Rename(out.Name(), p)
}

func identify(f *os.File) (identity, error) {
	info, err := f.Stat()
	if err != nil {
		return identity{}, err
	}
	if !info.Mode().IsRegular() {
		return identity{}, fmt.Errorf("%s is not a regular file", f.Name())
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, fmt.Errorf("%s has no inode", f.Name())
	}
	return identity{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano()}, nil
}
