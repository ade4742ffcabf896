package input

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/capstan-run/capstan/core"
)

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// codecByName is the codec a file's name promises.
func codecByName(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".gz", ".gzip":
		return "gzip"
	case ".zst", ".zstd":
		return "zstd"
	}
	return ""
}

// codecByMagic is the codec a file's first bytes show.
func codecByMagic(head []byte) string {
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		return "gzip"
	case bytes.HasPrefix(head, zstdMagic):
		return "zstd"
	}
	return ""
}

// skippable reports whether head begins a frame of the user's own (RFC 8878,
// section 3.1.2), with which pzstd begins its files. It may be text as well,
// so that by itself it is no sign of zstd.
func skippable(head []byte) bool {
	return len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}

// content is the decompressed content of a source, read once from the front.
type content struct {
	ctx   context.Context // of the call in progress: io.Reader carries none
	src   source
	off   int64 // stored bytes read
	buf   *bufio.Reader
	plain io.Reader
	gz    *gzip.Reader
	zs    *zstd.Decoder
	codec string
	err   error // of the source, as against the codec's
}

// Read is the stored bytes, below the codec.
func (c *content) Read(p []byte) (int, error) {
	n, err := c.src.readAt(c.ctx, p, c.off)
	c.off += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// open begins to decode src. It fails if src does not begin as codec does.
func (c *content) open(ctx context.Context, src source, codec string) error {
	c.ctx, c.src, c.off, c.codec, c.err = ctx, src, 0, codec, nil
	if c.buf == nil {
		c.buf = bufio.NewReaderSize(c, 64<<10)
	} else {
		c.buf.Reset(c)
	}
	head, err := c.buf.Peek(len(zstdMagic))
	if c.err != nil {
		return c.err
	}
	got := codecByMagic(head)
	if codec == "zstd" && skippable(head) {
		got = "zstd"
	}
	if got != codec {
		if len(head) == 0 {
			return fmt.Errorf("%s: the file is empty", codec)
		}
		if got != "" {
			return fmt.Errorf("%s: the content is %s", codec, got)
		}
		return fmt.Errorf("%s: the content is not %s", codec, codec)
	}
	switch codec {
	case "gzip":
		if c.gz == nil {
			c.gz = new(gzip.Reader)
		}
		err = c.gz.Reset(c.buf)
		c.plain = c.gz
	case "zstd":
		if c.zs == nil {
			// One goroutine, the caller's: tasks already fill the cores.
			c.zs, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
				zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderLowmem(true))
			if err != nil {
				return err
			}
		}
		err = c.zs.Reset(c.buf)
		c.plain = c.zs
	default:
		return core.Errorf(core.Internal, "no such codec: %s", codec)
	}
	return c.wrap(err)
}

// next reads decoded bytes. The error of corrupt or truncated content names
// the stored offset; c.err tells it from the source's own.
func (c *content) next(ctx context.Context, p []byte) (int, error) {
	c.ctx = ctx
	n, err := c.plain.Read(p)
	if err == nil || (err == io.EOF && c.err == nil) {
		return n, err
	}
	return n, c.wrap(err)
}

func (c *content) wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case c.err != nil:
		return c.err
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	text := strings.TrimPrefix(err.Error(), c.codec+": ")
	return fmt.Errorf("%s: %s near compressed byte %d", c.codec, text, c.stored())
}

// stored is how many stored bytes the codec has taken.
func (c *content) stored() int64 { return c.off - int64(c.buf.Buffered()) }

func (c *content) close() {
	if c.zs != nil {
		c.zs.Close()
		c.zs = nil
	}
}
