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
	"golang.org/x/sync/semaphore"

	"github.com/capstan-run/capstan/core"
)

const (
	maxParts    = 10000
	minPart     = 5 << 20 // S3's limit, for all parts but the last
	checksumKey = "X-Amz-Checksum-Crc32c"
)

// partSize is how large the parts of an object of size bytes are, so that none
// exceeds most, as far as there are enough parts, and all are about equal.
func partSize(most, size int64) int64 {
	n := min((size+most-1)/most, maxParts)
	even := (size + n - 1) / n
	return max((even+1<<20-1)>>20<<20, minPart)
}

// streamPartSize is partSize for a body that is buffered; size -1 is unknown.
func streamPartSize(most, size int64) int {
	part := int64(min(streamPart, most))
	return int(max(part, (size+maxParts-1)/maxParts))
}

// partSource yields the parts of an object in order; io.EOF after the last.
type partSource interface{ next() (body, error) }

type sectionSource struct {
	r         io.ReaderAt
	off, left int64
	part      int64
}

func (s *sectionSource) next() (body, error) {
	if s.left == 0 {
		return body{}, io.EOF
	}
	off, n := s.off, min(s.part, s.left)
	s.off, s.left = s.off+n, s.left-n
	return body{size: n, rewinds: true, open: func() (io.Reader, error) { return io.NewSectionReader(s.r, off, n), nil }}, nil
}

// streamSource copies r into buffers of one part each.
type streamSource struct {
	r      io.Reader
	left   int64 // -1: until r ends
	part   int
	more   *semaphore.Weighted // gives buffers beyond the first
	free   chan []byte         // room for all there may be
	made   int
	unread *body
	done   bool
}

// buffer returns one that is free, or a new one if it may be had, or waits for
// a part under way. The first is always to be had, so no upload waits for
// another one's source.
func (s *streamSource) buffer() []byte {
	select {
	case b := <-s.free:
		return b
	default:
	}
	if s.made == 0 || s.made < cap(s.free) && s.more.TryAcquire(int64(s.part)) {
		s.made++
		return make([]byte, s.part)
	}
	return <-s.free
}

// close gives up the buffers. No part may be under way.
func (s *streamSource) close() {
	if s.made > 1 {
		s.more.Release(int64(s.made-1) * int64(s.part))
	}
}

func (s *streamSource) next() (body, error) {
	if b := s.unread; b != nil {
		s.unread = nil
		return *b, nil
	}
	if s.done || s.left == 0 {
		return body{}, io.EOF
	}
	buf := s.buffer()
	want := buf
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
	data := buf[:n]
	return body{
		size: int64(n), rewinds: true,
		open:    func() (io.Reader, error) { return bytes.NewReader(data), nil },
		release: func() { s.free <- buf },
	}, nil
}

// putMultipart uploads src part by part and completes it. On an error it takes
// the parts away again.
func (c *Client) putMultipart(ctx context.Context, p Path, src partSource, o PutOptions) (info Info, err error) {
	mark := newMark()
	m := o.minio()
	m.UserMetadata = map[string]string{
		"X-Amz-Checksum-Algorithm": "CRC32C",
		"X-Amz-Checksum-Type":      "FULL_OBJECT",
		markName:                   mark,
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
		up, err = c.complete(ctx, p, id, parts, mark, o)
	}
	if err != nil {
		c.abandon(ctx, Upload{Path: p.String(), ID: id})
		return Info{}, err
	}
	return Info{Path: p.String(), Size: size, ETag: up.ETag, ContentType: o.contentType()}, nil
}

// abandonFor is how long a failed upload's parts are tried to be taken away.
const abandonFor = 10 * time.Second

// abandon aborts the upload though ctx may have ended. What it misses is found
// by Garbage and by DeletePrefix.
func (c *Client) abandon(ctx context.Context, u Upload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonFor)
	defer cancel()
	_ = c.AbortUpload(ctx, u)
}

func (c *Client) putParts(ctx context.Context, p Path, id string, src partSource) (parts []minio.ObjectPart, size int64, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.cfg.Parallel)
	var mu sync.Mutex
	for n := 1; gctx.Err() == nil; n++ {
		b, nerr := src.next()
		if nerr == io.EOF {
			break
		}
		if nerr == nil && n > maxParts {
			nerr = core.Errorf(core.Invalid, "it has more than %d parts of %d bytes", maxParts, b.size).At(p.String()).Do("say its size beforehand")
		}
		if nerr != nil {
			err = sourceError(p.String(), nerr)
			break
		}
		size += b.size
		g.Go(func() error {
			if b.release != nil {
				defer b.release()
			}
			part, err := c.putPart(gctx, p, id, n, b)
			mu.Lock()
			defer mu.Unlock()
			parts = append(parts, part)
			return err
		})
	}
	// The parts under way have the source's bytes: wait for them in any case.
	if err = cmp.Or(err, g.Wait(), context.Cause(ctx)); err != nil {
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
	var sum *trailer
	err := c.retry(ctx, "put", p.String(), func(ctx context.Context) error {
		sum = newTrailer(nil)
		r, err := b.open()
		if err != nil {
			return sourceError(p.String(), err)
		}
		src := &source{r: r, left: b.size}
		sum.r = src
		part, err = c.core.PutObjectPart(ctx, p.Bucket, p.Key, id, n, sum, b.size,
			minio.PutObjectPartOptions{DisableContentSha256: true, Trailer: sum.trailer})
		if src.err != nil {
			return sourceError(p.String(), src.err)
		}
		return err
	})
	if err != nil {
		return part, err
	}
	// Not every server tells a part's checksum, but those that check the whole
	// want to hear it again.
	part.PartNumber, part.Size, part.ChecksumCRC32C = n, b.size, sum.trailer.Get(checksumKey)
	return part, nil
}

func (c *Client) complete(ctx context.Context, p Path, id string, parts []minio.ObjectPart, mark string, o PutOptions) (minio.UploadInfo, error) {
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
		if tries > 1 && err != nil && minio.ToErrorResponse(err).StatusCode != 0 {
			// The first try's answer may have been lost after its success.
			err = c.orOurs(ctx, p, mark, &up, err)
		}
		return err
	})
	return up, err
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
