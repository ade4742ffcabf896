package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/capstan-run/capstan/core"
)

// LocalFile returns the plain file that holds the object path, if the store's
// disk is this machine's (StoreAccess.Root) and the object is there. The file
// is never changed in place: whoever opened or mapped it keeps those bytes
// though the object is replaced or deleted. It must not be written to.
func (c *Client) LocalFile(path string) (string, bool) {
	p, err := ParsePath(path)
	if err != nil || c.access.Root == "" {
		return "", false
	}
	file := localFile(c.access.Root, p)
	fi, err := os.Lstat(file)
	return file, err == nil && fi.Mode().IsRegular()
}

func localFile(root string, p Path) string {
	return filepath.Join(root, p.Bucket, filepath.FromSlash(p.Key))
}

// openLocal opens a range of the object's plain file. ok is false where there
// is none or the range starts beyond its end: the server then has the last word.
func (c *Client) openLocal(p Path, off, length int64) (io.ReadCloser, Info, bool) {
	f, fi, ok := c.localHandle(p)
	if !ok {
		return nil, Info{}, false
	}
	if off > fi.Size() || off == fi.Size() && off > 0 && length != 0 {
		f.Close()
		return nil, Info{}, false
	}
	if length < 0 || length > fi.Size()-off {
		length = fi.Size() - off
	}
	info := Info{Path: p.String(), Size: fi.Size(), ETag: attribute(f, "etag"), ContentType: attribute(f, "content-type"), Modified: fi.ModTime()}
	return &fileRange{io.NewSectionReader(f, off, length), f}, info, true
}

type fileRange struct {
	*io.SectionReader
	f *os.File
}

func (r *fileRange) Close() error { return r.f.Close() }

func (c *Client) localHandle(p Path) (*os.File, os.FileInfo, bool) {
	if c.access.Root == "" {
		return nil, nil, false
	}
	f, err := os.Open(localFile(c.access.Root, p))
	if err != nil {
		return nil, nil, false
	}
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		f.Close()
		return nil, nil, false
	}
	return f, fi, true
}

func (c *Client) readLocal(p Path, ranges []Range, into [][]byte) (done bool, err error) {
	f, _, ok := c.localHandle(p)
	if !ok {
		return false, nil
	}
	defer f.Close()
	for i, r := range ranges {
		n, err := f.ReadAt(into[i], r.Off)
		if n == len(into[i]) {
			continue
		}
		if errors.Is(err, io.EOF) {
			return true, short(p, r.Off+int64(n), io.EOF)
		}
		return true, &core.Error{Kind: core.Internal, What: "read", Where: f.Name(), Err: err}
	}
	return true, nil
}
