package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/capstan-run/capstan/core"
)

const (
	// singleMax is the largest object sent as one PUT.
	singleMax = 64 << 20
	// sectionPart is the part size of a body that can be read at any offset,
	// streamPart of one that must be buffered to be sent again.
	sectionPart = 64 << 20
	streamPart  = 16 << 20
	// copyMax is up to what size an unseekable body is copied so that it can be
	// sent again.
	copyMax = 4 << 20
)

// Info describes an object.
type Info struct {
	Path        string // "bucket/key"
	Size        int64
	ETag        string // opaque; changes with the content
	ContentType string
	Modified    time.Time
}

// PutOptions say how an object is written.
type PutOptions struct {
	// IfNoneMatch writes only if no object is there yet; else ErrExists. A
	// repeated try after a lost answer may find its own object: see Commit.
	IfNoneMatch bool
	ContentType string // default application/octet-stream
}

// Put writes size bytes of r, or all of it if size is -1, as the object path.
// A reader that ends early is an error and leaves no object. r is read from
// where it stands; if it is an io.Seeker, Put may rewind it to there, and a
// failed try is repeated (law S3). Other readers are repeated up to 4 MiB, and
// part by part when size is -1 or beyond 64 MiB, at the cost of a 16 MiB buffer.
func (c *Client) Put(ctx context.Context, path string, r io.Reader, size int64, o PutOptions) (Info, error) {
	p, err := ParsePath(path)
	if err != nil {
		return Info{}, err
	}
	if size >= 0 && size <= singleMax {
		return c.putSingle(ctx, p, newBody(r, size), o)
	}
	if ra, off, ok := sections(r); ok && size > 0 {
		return c.putMultipart(ctx, p, &sectionSource{r: ra, off: off, left: size, part: partSize(sectionPart, size)}, o)
	}
	src := &streamSource{r: r, left: size, part: int(partSize(streamPart, size))}
	if size < 0 {
		first, err := src.next()
		if err != nil {
			return Info{}, sourceError(path, err)
		}
		if src.done {
			return c.putSingle(ctx, p, first, o)
		}
		src.unread = &first
	}
	return c.putMultipart(ctx, p, src, o)
}

// PutFile writes the regular file as the object path.
func (c *Client) PutFile(ctx context.Context, path, file string, o PutOptions) (Info, error) {
	f, err := os.Open(file)
	if err != nil {
		return Info{}, sourceError(path, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return Info{}, sourceError(path, err)
	}
	if !fi.Mode().IsRegular() {
		return Info{}, core.Errorf(core.Invalid, "%s is not a regular file", file).At(path)
	}
	return c.Put(ctx, path, f, fi.Size(), o)
}

func (c *Client) putSingle(ctx context.Context, p Path, b body, o PutOptions) (Info, error) {
	var up minio.UploadInfo
	try := func(ctx context.Context) error {
		r, err := b.open()
		if err != nil {
			return sourceError(p.String(), err)
		}
		src := &source{r: r, left: b.size}
		up, err = c.core.PutObject(ctx, p.Bucket, p.Key, src, b.size, "", "", o.minio())
		if src.err != nil {
			return sourceError(p.String(), src.err)
		}
		return err
	}
	call := c.retry
	if !b.rewinds {
		call = func(ctx context.Context, verb, path string, f func(context.Context) error) error {
			return once(ctx, verb, path, f)
		}
	}
	if err := call(ctx, "put", p.String(), try); err != nil {
		return Info{}, err
	}
	return Info{Path: p.String(), Size: b.size, ETag: up.ETag, ContentType: o.contentType(), Modified: up.LastModified}, nil
}

func (o PutOptions) contentType() string {
	if o.ContentType == "" {
		return "application/octet-stream"
	}
	return o.ContentType
}

func (o PutOptions) minio() minio.PutObjectOptions {
	m := minio.PutObjectOptions{
		ContentType:          o.contentType(),
		DisableContentSha256: true,
		DisableMultipart:     true,
		Checksum:             minio.ChecksumFullObjectCRC32C,
	}
	if o.IfNoneMatch {
		m.SetMatchETagExcept("*")
	}
	return m
}

// body is bytes to send, if need be several times.
type body struct {
	size    int64
	rewinds bool
	open    func() (io.Reader, error)
}

func newBody(r io.Reader, size int64) body {
	if ra, off, ok := sections(r); ok {
		return body{size, true, func() (io.Reader, error) { return io.NewSectionReader(ra, off, size), nil }}
	}
	if s, ok := r.(io.Seeker); ok {
		if off, err := s.Seek(0, io.SeekCurrent); err == nil {
			return body{size, true, func() (io.Reader, error) {
				_, err := s.Seek(off, io.SeekStart)
				return r, err
			}}
		}
	}
	if size > copyMax {
		return body{size, false, func() (io.Reader, error) { return r, nil }}
	}
	var held []byte
	return body{size, true, func() (io.Reader, error) {
		if held == nil {
			held = make([]byte, size)
			if _, err := io.ReadFull(r, held); err != nil {
				held = nil
				return nil, err
			}
		}
		return bytes.NewReader(held), nil
	}}
}

// sections reports whether r can be read at any offset, and where it stands.
func sections(r io.Reader) (io.ReaderAt, int64, bool) {
	ra, ok := r.(io.ReaderAt)
	s, ok2 := r.(io.Seeker)
	if !ok || !ok2 {
		return nil, 0, false
	}
	off, err := s.Seek(0, io.SeekCurrent)
	return ra, off, err == nil
}

// source hands out exactly left bytes of r and remembers what was wrong with
// it. It hides r's Seek: minio-go would rewind to the start of the file.
type source struct {
	r    io.Reader
	left int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.r.Read(p)
	s.left -= int64(n)
	if err == io.EOF && s.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func sourceError(path string, err error) error {
	if known := (*core.Error)(nil); errors.As(err, &known) {
		return err
	}
	kind, remedy := core.Internal, ""
	switch {
	case errors.Is(err, os.ErrNotExist):
		kind, remedy = core.NotFound, "check the file's name"
	case errors.Is(err, os.ErrPermission):
		kind, remedy = core.Denied, "check the file's permissions"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		kind, remedy = core.Invalid, "the data ended before the announced size: it may be changing while it is read"
	}
	return &core.Error{Kind: kind, What: "read the data to put", Where: path, Remedy: remedy, Err: err}
}
