package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/capstan-run/capstan/core"
)

const (
	// streamPart is the part size of a body that must be buffered to be sent
	// again.
	streamPart = 16 << 20
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
	// IfNoneMatch writes only if no object is there yet; else ErrExists. A try
	// whose answer was lost is told from another writer's object by a mark in
	// the object's metadata.
	IfNoneMatch bool
	ContentType string // default application/octet-stream
}

// Put writes size bytes of r, or all of it if size is -1, as the object path.
// A reader that ends early is an error and leaves no object. r is read from
// where it stands; if it is an io.Seeker, Put may rewind it to there, and a
// failed try is repeated (law S3). Other readers are repeated up to 4 MiB, and
// part by part when size is -1 or beyond Config.Part, at the cost of a 16 MiB
// buffer, and of further ones as Config.Buffers allows.
//
// Up to Config.Part the object is one PUT; beyond, Config.Parallel parts are
// under way at once. IfNoneMatch holds for both. After an error nothing of the
// object remains, unless the store was away to the end: then [Client.Garbage]
// finds the upload.
func (c *Client) Put(ctx context.Context, path string, r io.Reader, size int64, o PutOptions) (Info, error) {
	p, err := ParsePath(path)
	if err != nil {
		return Info{}, err
	}
	if size >= 0 && size <= c.cfg.Part {
		return c.putSingle(ctx, p, newBody(r, size), o)
	}
	if ra, off, ok := sections(r); ok && size > 0 {
		return c.putMultipart(ctx, p, &sectionSource{r: ra, off: off, left: size, part: partSize(c.cfg.Part, size)}, o)
	}
	src := &streamSource{r: r, left: size, part: streamPartSize(c.cfg.Part, size), more: c.buffers, free: make(chan []byte, c.cfg.Parallel+1)}
	defer src.close()
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
	mark := newMark()
	opts := o.minio()
	if o.IfNoneMatch {
		opts.UserMetadata = map[string]string{markName: mark}
	}
	tries := 0
	try := func(ctx context.Context) error {
		tries++
		r, err := b.open()
		if err != nil {
			return sourceError(p.String(), err)
		}
		src := &source{r: r, left: b.size}
		up, err = c.core.PutObject(ctx, p.Bucket, p.Key, src, b.size, "", "", opts)
		if src.err != nil {
			return sourceError(p.String(), src.err)
		}
		if tries > 1 && o.IfNoneMatch && refusedAsThere(err) {
			return c.orOurs(ctx, p, mark, &up, err)
		}
		return err
	}
	call := c.retry
	if !b.rewinds {
		call = c.once
	}
	if err := call(ctx, "put", p.String(), try); err != nil {
		return Info{}, err
	}
	return Info{Path: p.String(), Size: b.size, ETag: up.ETag, ContentType: o.contentType(), Modified: up.LastModified}, nil
}

// markName is the metadata that tells one call's object from another's with
// the same bytes, when the answer to a try was lost after its success.
const markName = "Capstan-Put"

func newMark() string { return rand.Text() }

// orOurs returns nil and fills up if the object is that of this very call,
// else err.
func (c *Client) orOurs(ctx context.Context, p Path, mark string, up *minio.UploadInfo, err error) error {
	obj, serr := c.core.StatObject(ctx, p.Bucket, p.Key, minio.StatObjectOptions{})
	if serr != nil && sentinelOf(minio.ToErrorResponse(serr)) == ErrUnavailable {
		return serr // ask again: it may be ours
	}
	if serr != nil || obj.UserMetadata[markName] != mark {
		return err
	}
	up.ETag, up.LastModified = obj.ETag, obj.LastModified
	return nil
}

func refusedAsThere(err error) bool {
	return err != nil && sentinelOf(minio.ToErrorResponse(err)) == ErrExists
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
	release func() // nil, or to be called when the bytes are no more needed
}

func newBody(r io.Reader, size int64) body {
	if ra, off, ok := sections(r); ok {
		return body{size: size, rewinds: true, open: func() (io.Reader, error) { return io.NewSectionReader(ra, off, size), nil }}
	}
	if s, ok := r.(io.Seeker); ok {
		if off, err := s.Seek(0, io.SeekCurrent); err == nil {
			return body{size: size, rewinds: true, open: func() (io.Reader, error) {
				_, err := s.Seek(off, io.SeekStart)
				return r, err
			}}
		}
	}
	if size > copyMax {
		return body{size: size, open: func() (io.Reader, error) { return r, nil }}
	}
	var held []byte
	return body{size: size, rewinds: true, open: func() (io.Reader, error) {
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
