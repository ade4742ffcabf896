package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"
)

const (
	maxParts      = 10000
	parallelParts = 2
	checksumKey   = "X-Amz-Checksum-Crc32c"
)

// partSource yields the parts of an object in order; io.EOF after the last.
type partSource interface {
	next() (body, error)
	// reuses reports that a part's bytes are gone once next is called again.
	reuses() bool
}

func partSize(want, size int64) int64 {
	if size > want*maxParts {
		return (size + maxParts - 1) / maxParts
	}
	return want
}

type sectionSource struct {
	r         io.ReaderAt
	off, left int64
	part      int64
}

func (s *sectionSource) reuses() bool { return false }

func (s *sectionSource) next() (body, error) {
	if s.left == 0 {
		return body{}, io.EOF
	}
	off, n := s.off, min(s.part, s.left)
	s.off, s.left = s.off+n, s.left-n
	return body{n, true, func() (io.Reader, error) { return io.NewSectionReader(s.r, off, n), nil }}, nil
}

type streamSource struct {
	r      io.Reader
	left   int64 // -1: until r ends
	part   int
	buf    []byte
	unread *body
	done   bool
}

func (s *streamSource) reuses() bool { return true }

func (s *streamSource) next() (body, error) {
	if b := s.unread; b != nil {
		s.unread = nil
		return *b, nil
	}
	if s.done || s.left == 0 {
		return body{}, io.EOF
	}
	if s.buf == nil {
		s.buf = make([]byte, s.part)
	}
	want := s.buf
	if s.left > 0 && s.left < int64(len(want)) {
		want = want[:s.left]
	}
	n, err := io.ReadFull(s.r, want)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		if s.left > 0 {
			return body{}, io.ErrUnexpectedEOF
		}
		s.done, err = true, nil
	}
	if err != nil {
		return body{}, err
	}
	if s.left > 0 {
		s.left -= int64(n)
	}
	data := s.buf[:n]
	return body{int64(n), true, func() (io.Reader, error) { return bytes.NewReader(data), nil }}, nil
}

// putMultipart uploads src part by part and completes it. On an error nothing
// of it remains, unless the store is away for good: the server sweeps old
// uploads, and DeletePrefix aborts those under its prefix.
func (c *Client) putMultipart(ctx context.Context, p Path, src partSource, o PutOptions) (info Info, err error) {
	m := o.minio()
	m.UserMetadata = map[string]string{
		"X-Amz-Checksum-Algorithm": "CRC32C",
		"X-Amz-Checksum-Type":      "FULL_OBJECT",
	}
	var id string
	err = c.retry(ctx, "put", p.String(), func(ctx context.Context) error {
		id, err = c.core.NewMultipartUpload(ctx, p.Bucket, p.Key, m)
		return err
	})
	if err != nil {
		return Info{}, err
	}
	parts, size, err := c.putParts(ctx, p, id, src)
	var up minio.UploadInfo
	if err == nil {
		up, err = c.complete(ctx, p, id, parts, o)
	}
	if err != nil {
		abort, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		// What this misses, the server's sweep or DeletePrefix finds.
		_ = c.core.AbortMultipartUpload(abort, p.Bucket, p.Key, id)
		return Info{}, err
	}
	return Info{Path: p.String(), Size: size, ETag: up.ETag, ContentType: o.contentType()}, nil
}

func (c *Client) putParts(ctx context.Context, p Path, id string, src partSource) (parts []minio.ObjectPart, size int64, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelParts)
	var mu sync.Mutex
	put := func(n int, b body) error {
		part, err := c.putPart(gctx, p, id, n, b)
		mu.Lock()
		defer mu.Unlock()
		parts = append(parts, part)
		return err
	}
	for n := 1; gctx.Err() == nil; n++ {
		b, nerr := src.next()
		if nerr == io.EOF {
			break
		}
		if nerr != nil {
			err = sourceError(p.String(), nerr)
			break
		}
		size += b.size
		if !src.reuses() {
			g.Go(func() error { return put(n, b) })
		} else if err = put(n, b); err != nil {
			break
		}
	}
	if err = cmp.Or(g.Wait(), err, context.Cause(ctx)); err != nil {
		return nil, 0, classify(ctx, "put", p.String(), err)
	}
	return inOrder(parts), size, nil
}

// inOrder sorts parts in place by number; the numbers are 1 to len(parts).
func inOrder(parts []minio.ObjectPart) []minio.ObjectPart {
	for i := range parts {
		for parts[i].PartNumber != i+1 {
			j := parts[i].PartNumber - 1
			parts[i], parts[j] = parts[j], parts[i]
		}
	}
	return parts
}

func (c *Client) putPart(ctx context.Context, p Path, id string, n int, b body) (minio.ObjectPart, error) {
	var part minio.ObjectPart
	err := c.retry(ctx, "put", p.String(), func(ctx context.Context) error {
		r, err := b.open()
		if err != nil {
			return sourceError(p.String(), err)
		}
		src := &source{r: r, left: b.size}
		sum := newTrailer(src)
		part, err = c.core.PutObjectPart(ctx, p.Bucket, p.Key, id, n, sum, b.size,
			minio.PutObjectPartOptions{DisableContentSha256: true, Trailer: sum.trailer})
		if src.err != nil {
			return sourceError(p.String(), src.err)
		}
		return err
	})
	part.PartNumber, part.Size = n, b.size
	return part, err
}

func (c *Client) complete(ctx context.Context, p Path, id string, parts []minio.ObjectPart, o PutOptions) (minio.UploadInfo, error) {
	m := minio.PutObjectOptions{}
	if o.IfNoneMatch {
		m.SetMatchETagExcept("*")
	}
	list := make([]minio.CompletePart, len(parts))
	for i, part := range parts {
		list[i] = minio.CompletePart{PartNumber: part.PartNumber, ETag: part.ETag, ChecksumCRC32C: part.ChecksumCRC32C}
	}
	var up minio.UploadInfo
	tries := 0
	err := c.retry(ctx, "put", p.String(), func(ctx context.Context) error {
		tries++
		var err error
		up, err = c.core.CompleteMultipartUpload(ctx, p.Bucket, p.Key, id, list, m)
		if tries == 1 || err == nil || minio.ToErrorResponse(err).StatusCode == 0 {
			return err
		}
		// The first try's answer may have been lost after its success.
		if etag, same := c.holds(ctx, p, parts); same {
			up.ETag = etag
			return nil
		}
		return err
	})
	return up, err
}

// holds reports whether the object has the bytes of parts, by its checksum.
func (c *Client) holds(ctx context.Context, p Path, parts []minio.ObjectPart) (etag string, same bool) {
	want, err := minio.ChecksumFullObjectCRC32C.FullObjectChecksum(parts)
	if err != nil {
		return "", false
	}
	obj, err := c.core.StatObject(ctx, p.Bucket, p.Key, minio.StatObjectOptions{Checksum: true})
	return obj.ETag, err == nil && obj.ChecksumCRC32C == want.Encoded()
}

// trailer computes the CRC32C of what it passes on and leaves it in the HTTP
// trailer when the body ends.
type trailer struct {
	r       io.Reader
	sum     hash.Hash32
	trailer http.Header
}

func newTrailer(r io.Reader) *trailer {
	t := &trailer{r: r, sum: crc32.New(crc32.MakeTable(crc32.Castagnoli)), trailer: http.Header{}}
	t.set() // the key must stand before the body is read, and the value have its length
	return t
}

func (t *trailer) set() {
	t.trailer.Set(checksumKey, base64.StdEncoding.EncodeToString(t.sum.Sum(nil)))
}

func (t *trailer) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.sum.Write(p[:n])
	if err == io.EOF {
		t.set()
	}
	return n, err
}
