package input

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
)

// source is an open file. It is used by one goroutine.
type source interface {
	// readAt reads up to len(p) bytes from off: at least one, or io.EOF.
	readAt(ctx context.Context, p []byte, off int64) (int, error)
	close() error
}

// opener opens files, one after the other. It keeps what it can for the next.
type opener struct {
	store Store
	local localFile
}

// open opens f for reading mostly up to limit.
func (o *opener) open(f File, limit int64) (source, error) {
	if path, ok := strings.CutPrefix(f.URL, "s3://"); ok {
		if o.store == nil {
			return nil, core.Errorf(core.Internal, "no store to read from").At(f.URL)
		}
		return &object{store: o.store, path: path, size: f.Size, limit: min(limit, f.Size)}, nil
	}
	path, err := LocalPath(f.URL)
	if err != nil {
		return nil, err
	}
	if err := o.local.open(path); err != nil {
		return nil, openError(f.URL, err)
	}
	return &o.local, nil
}

// LocalPath is the path of a file:// URL. Both plain paths and percent-encoded
// ones are understood: an encoded byte is decoded only if the URL as a whole
// decodes.
func LocalPath(rawURL string) (string, error) {
	path, ok := strings.CutPrefix(rawURL, "file://")
	if !ok || !strings.HasPrefix(path, "/") {
		return "", core.Errorf(core.Invalid, "%q is not a file:// URL with an absolute path", rawURL).
			Do("write file:///folder/name")
	}
	if strings.Contains(path, "%") {
		if p, err := url.PathUnescape(path); err == nil {
			return p, nil
		}
	}
	return path, nil
}

// FileURL is the URL that LocalPath turns back into path.
func FileURL(path string) string {
	return "file://" + strings.ReplaceAll(path, "%", "%25")
}

func openError(where string, err error) error {
	e := &core.Error{Kind: core.Failed, What: "input cannot be opened", Where: where, Err: err}
	switch {
	case errors.Is(err, os.ErrPermission):
		e.Remedy = "let everyone read it (chmod o+r; folders above it need o+x): executors do not run as root"
	case errors.Is(err, os.ErrNotExist):
		e.Remedy = "it was there when the job was planned; submit again if it was removed on purpose"
	}
	return e
}

// readError tells of a source's error, unless that tells of itself: the
// context's end, and what the store says.
func readError(where string, err error) error {
	var own *core.Error
	if errors.As(err, &own) || isContext(err) {
		return err
	}
	return &core.Error{Kind: core.Failed, What: "input cannot be read", Where: where, Err: err,
		Remedy: "check the disk or the store that holds it"}
}

// changed is the error of a file that is not of the size it had when it was
// listed: its ranges would lose records, or cut them.
func changed(f File, size int64) error {
	return core.Errorf(core.Failed, "the file has %d bytes and had %d when the job was planned", size, f.Size).At(f.URL).
		Do("let no other program write to the input while a job reads it, and submit again")
}

// localFile reads with bare system calls: os.File would add a poller
// registration and a finalizer to each of ten thousand small files.
type localFile struct{ fd int }

func (f *localFile) open(path string) error {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			f.fd = fd
			return nil
		}
		if err != unix.EINTR {
			return err
		}
	}
}

func (f *localFile) readAt(_ context.Context, p []byte, off int64) (int, error) {
	for {
		n, err := unix.Pread(f.fd, p, off)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (f *localFile) close() error { return unix.Close(f.fd) }
