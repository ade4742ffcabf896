package input

import (
	"bytes"
	"context"
	"os"
	"strings"
)

// LineOf is the number of the line, from 1, in which a bad record of text, CSV
// or JSON lines begins. A reader of a part of a file cannot know it, so the file
// is read once more, up to there. It is 0 where that does not succeed before ctx
// ends, and for what has no lines.
func LineOf(ctx context.Context, b Bad, o Options) int64 {
	if b.Offset < 0 || b.Length < 0 || !(o.Format == "" || o.Format == "text" || o.Format == "csv" || o.Format == "json") {
		return 0
	}
	n, err := countLines(ctx, b, o)
	if err != nil {
		return 0
	}
	return n + 1
}

// countLines counts those that end before b.
func countLines(ctx context.Context, b Bad, o Options) (int64, error) {
	size, err := sizeOf(ctx, b.File, o.Store)
	if err != nil {
		return 0, err
	}
	open := opener{store: o.Store}
	src, err := open.open(File{URL: b.File, Size: size}, size)
	if err != nil {
		return 0, err
	}
	defer src.close()
	read, end, err := plainly(ctx, src, b.File)
	if err != nil {
		return 0, err
	}
	defer end()
	lines, buf := int64(0), make([]byte, 1<<20)
	for off := int64(0); off < b.Offset; {
		n, err := read(buf[:min(int64(len(buf)), b.Offset-off)], off)
		lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
		off += int64(n)
		if err != nil && off < b.Offset {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	return lines, nil
}

// plainly reads a file from its front, decompressed.
func plainly(ctx context.Context, src source, url string) (read func(p []byte, off int64) (int, error), end func(), err error) {
	codec := codecByName(url)
	if codec == "" {
		head := make([]byte, len(zstdMagic))
		n, err := src.readAt(ctx, head, 0)
		if err != nil {
			return nil, nil, err
		}
		codec = codecByMagic(head[:n])
	}
	if codec == "" {
		return func(p []byte, off int64) (int, error) { return src.readAt(ctx, p, off) }, func() {}, nil
	}
	c := new(content)
	if err := c.open(ctx, src, codec); err != nil {
		c.close()
		return nil, nil, err
	}
	return func(p []byte, _ int64) (int, error) { return c.next(ctx, p) }, c.close, nil
}

// sizeOf is how many bytes a file has, as it is stored.
func sizeOf(ctx context.Context, url string, st Store) (int64, error) {
	if path, ok := strings.CutPrefix(url, "s3://"); ok && st != nil {
		r, info, err := st.Get(ctx, path, 0, 1)
		if err != nil {
			return 0, err
		}
		return info.Size, r.Close()
	}
	path, err := LocalPath(url)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
