package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/capstan-run/capstan/core"
)

// Stat describes the object path.
func (c *Client) Stat(ctx context.Context, path string) (Info, error) {
	p, err := ParsePath(path)
	if err != nil {
		return Info{}, err
	}
	var obj minio.ObjectInfo
	err = c.retry(ctx, "stat", path, func(ctx context.Context) error {
		obj, err = c.core.StatObject(ctx, p.Bucket, p.Key, minio.StatObjectOptions{})
		return err
	})
	return infoOf(p, obj), err
}

func infoOf(p Path, o minio.ObjectInfo) Info {
	return Info{Path: p.String(), Size: o.Size, ETag: o.ETag, ContentType: o.ContentType, Modified: o.LastModified}
}

// Get opens length bytes of the object from off on; length -1 reads to its
// end. Info.Size is the whole object's. A range that reaches beyond the end is
// cut there; one that starts beyond it is of kind Invalid.
//
// The reader goes on after a lost connection from where it was, as long as the
// object is still the same one; if it was replaced meanwhile, Read returns
// ErrNotFound. ctx bounds the reading too.
func (c *Client) Get(ctx context.Context, path string, off, length int64) (io.ReadCloser, Info, error) {
	p, err := ParsePath(path)
	if err != nil {
		return nil, Info{}, err
	}
	if off < 0 || length < -1 {
		return nil, Info{}, core.Errorf(core.Invalid, "range %d+%d is none", off, length).At(path)
	}
	if r, info, ok := c.openLocal(p, off, length); ok {
		return r, info, nil
	}
	if length == 0 {
		info, err := c.Stat(ctx, path)
		return io.NopCloser(eofReader{}), info, err
	}
	return c.openRemote(ctx, p, off, length)
}

// openRemote is Get from the server, of a checked range that is not empty.
func (c *Client) openRemote(ctx context.Context, p Path, off, length int64) (io.ReadCloser, Info, error) {
	r := &objectReader{ctx: ctx, c: c, p: p, off: off, left: length}
	if err := c.retry(ctx, "get", p.String(), r.open); err != nil {
		return nil, Info{}, err
	}
	return r, r.info, nil
}

type eofReader struct{}

func (eofReader) Read([]byte) (int, error) { return 0, io.EOF }

// objectReader reads a range of one version of an object over as many
// connections as it takes.
type objectReader struct {
	ctx  context.Context // the reader's own life, as in http.Request
	c    *Client
	p    Path
	off  int64
	left int64 // -1 until the first answer tells the size
	body io.ReadCloser
	buf  *bufio.Reader // over body
	info Info
	err  error
}

// open asks for what is left. An answer counts once its first byte is there, so
// that a server which breaks off every body is waited for like one that is away.
func (r *objectReader) open(ctx context.Context) error {
	var o minio.GetObjectOptions
	switch {
	case r.left > 0:
		o.SetRange(r.off, r.off+r.left-1)
	case r.off > 0:
		o.SetRange(r.off, 0)
	}
	if r.info.ETag != "" {
		o.SetMatchETag(r.info.ETag)
	}
	body, obj, header, err := r.c.core.GetObject(ctx, r.p.Bucket, r.p.Key, o)
	if err != nil {
		return r.refused(ctx, err)
	}
	size, err := r.check(obj, header.Get("Content-Range"))
	buf := bufio.NewReaderSize(body, firstBytes)
	if err == nil && obj.Size > 0 {
		_, err = buf.Peek(1)
	}
	if err != nil {
		body.Close()
		return err
	}
	if r.info.Path == "" {
		r.info = infoOf(r.p, obj)
		r.info.Size = size
	}
	r.left, r.body, r.buf = obj.Size, body, buf
	return nil
}

// firstBytes is how much of an answer is buffered to see that it has begun;
// longer reads pass the buffer by.
const firstBytes = 4 << 10

// check holds the answer to the range that was asked for: a byte from
// elsewhere in the object would be taken for the right one. It returns the
// whole object's size. A ranged answer's Content-Length is the range's, so that
// comes from Content-Range.
func (r *objectReader) check(obj minio.ObjectInfo, contentRange string) (size int64, err error) {
	got, size, ranged := parseContentRange(contentRange)
	if !ranged {
		got, size = Range{0, obj.Size}, obj.Size
	}
	want := size - r.off
	if r.left >= 0 {
		want = min(want, r.left)
	}
	if got.Off != r.off || got.Len != want || obj.Size != want {
		return 0, core.Errorf(core.Internal, "asked for %d bytes from %d on, the store answered with %d from %d on", r.left, r.off, obj.Size, got.Off).
			At(r.p.String()).Do("check that the store, and any proxy before it, heeds Range headers")
	}
	return size, nil
}

// parseContentRange reads "bytes 0-9/123".
func parseContentRange(s string) (r Range, size int64, ok bool) {
	var last int64
	if n, err := fmt.Sscanf(s, "bytes %d-%d/%d", &r.Off, &last, &size); n != 3 || err != nil {
		return Range{}, 0, false
	}
	r.Len = last - r.Off + 1
	return r, size, 0 <= r.Off && r.Off <= last && last < size
}

func (r *objectReader) refused(ctx context.Context, err error) error {
	resp := minio.ToErrorResponse(err)
	switch {
	case resp.StatusCode == 416 || resp.Code == "InvalidRange":
		return core.Errorf(core.Invalid, "it has fewer than %d bytes", r.off+1).At(r.p.String())
	case resp.StatusCode == 412:
		return replaced(r.p)
	}
	return err
}

func replaced(p Path) error {
	return verdicts[ErrNotFound].error("get", p.String(), ErrNotFound, "the object was replaced while it was read")
}

func (r *objectReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.left == 0 || len(p) == 0 {
		return 0, r.atEnd()
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.buf.Read(p)
	r.off, r.left = r.off+int64(n), r.left-int64(n)
	if err == nil || r.left == 0 {
		return n, nil
	}
	r.body.Close()
	r.err = r.c.retry(r.ctx, "get", r.p.String(), r.open)
	return n, r.err
}

func (r *objectReader) atEnd() error {
	if r.left == 0 {
		return io.EOF
	}
	return nil
}

func (r *objectReader) Close() error {
	if r.err == nil {
		r.err = errors.New("read after close")
	}
	return r.body.Close()
}
