package terasort

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Same holds what two directories hold in files whose names begin with "part-"
// against each other, byte by byte and in the order of names. Where one file ends
// and the next begins does not count. The error says where they differ first.
func Same(ctx context.Context, a, b string) error {
	x, err := openParts(a)
	if err != nil {
		return err
	}
	defer x.Close()
	y, err := openParts(b)
	if err != nil {
		return err
	}
	defer y.Close()
	p, q := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); ; at += int64(len(p)) {
		n, err := io.ReadFull(x, p)
		m, err2 := io.ReadFull(y, q)
		for _, err := range []error{err, err2, ctx.Err()} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return err
			}
		}
		if !bytes.Equal(p[:n], q[:m]) {
			return fmt.Errorf("%s and %s differ at byte %d", a, b, at+int64(alike(p[:n], q[:m])))
		}
		if n < len(p) {
			return nil
		}
	}
}

// alike is how many bytes p and q begin with alike.
func alike(p, q []byte) int {
	n := 0
	for n < min(len(p), len(q)) && p[n] == q[n] {
		n++
	}
	return n
}

// parts reads files one after the other.
type parts struct {
	names []string
	file  *os.File // nil: the first of names comes next
}

func openParts(dir string) (*parts, error) {
	names, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s holds no file named part-*", dir)
	}
	return &parts{names: names}, err
}

// Read implements io.Reader.
func (r *parts) Read(p []byte) (int, error) {
	for {
		if r.file == nil {
			if len(r.names) == 0 {
				return 0, io.EOF
			}
			f, err := os.Open(r.names[0])
			if err != nil {
				return 0, err
			}
			r.file, r.names = f, r.names[1:]
		}
		n, err := r.file.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := r.Close(); err != nil {
			return 0, err
		}
	}
}

// Close implements io.Closer.
func (r *parts) Close() error {
	if r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}
