package input

import (
	"context"
	"fmt"
	"io"
)

const (
	// chunkSize is one ranged GET: the store's cost per request stops mattering
	// at several MiB.
	chunkSize = 8 << 20
	// tailSize is a GET past the range's end, for the record that crosses it.
	tailSize = 64 << 10
)

// object reads an object of the store by ranged GETs, one chunk ahead of its
// reader.
type object struct {
	store Store
	path  string
	size  int64
	limit int64 // reads past it are rare

	now   chunk
	spare []byte // the buffer of the chunk before
	ahead chan chunk
	next  int64 // offset of the chunk in flight
	stop  context.CancelFunc
}

type chunk struct {
	off  int64
	data []byte
	err  error
}

func (o *object) readAt(ctx context.Context, p []byte, off int64) (int, error) {
	if off >= o.size {
		return 0, io.EOF
	}
	if off < o.now.off || off >= o.now.off+int64(len(o.now.data)) {
		if err := o.load(ctx, off); err != nil {
			return 0, err
		}
	}
	return copy(p, o.now.data[off-o.now.off:]), nil
}

// load makes the chunk that begins at off the current one and starts the next.
func (o *object) load(ctx context.Context, off int64) error {
	if o.ahead != nil && o.next != off {
		o.drop()
	}
	if o.ahead == nil {
		o.fetch(ctx, off)
	}
	var c chunk
	select {
	case c = <-o.ahead:
	case <-ctx.Done():
		return ctx.Err()
	}
	o.stop()
	o.ahead = nil
	if c.err != nil {
		return c.err
	}
	o.spare, o.now = o.now.data, c
	if end := c.off + int64(len(c.data)); end < o.limit {
		o.fetch(ctx, end)
	}
	return nil
}

func (o *object) fetch(ctx context.Context, off int64) {
	length := min(chunkSize, o.limit-off)
	if off >= o.limit {
		length = min(tailSize, o.size-off)
	}
	buf := o.spare
	o.spare = nil
	if int64(cap(buf)) < length {
		buf = make([]byte, length)
	}
	buf = buf[:length]
	ctx, o.stop = context.WithCancel(ctx)
	// One slot: the fetcher never waits for a reader that has gone.
	ahead := make(chan chunk, 1)
	o.ahead, o.next = ahead, off
	go func() {
		err := o.get(ctx, buf, off)
		ahead <- chunk{off: off, data: buf, err: err}
	}()
}

func (o *object) get(ctx context.Context, buf []byte, off int64) error {
	r, info, err := o.store.Get(ctx, o.path, off, int64(len(buf)))
	if err != nil {
		return err
	}
	defer r.Close()
	if info.Size != o.size {
		return changed(File{URL: "s3://" + o.path, Size: o.size}, info.Size)
	}
	if n, err := io.ReadFull(r, buf); err != nil {
		return fmt.Errorf("object ended after %d of %d bytes from %d: %w", n, len(buf), off, err)
	}
	return nil
}

// drop cancels the chunk in flight and waits for it, so that no fetcher
// outlives its reader.
func (o *object) drop() {
	if o.ahead == nil {
		return
	}
	o.stop()
	<-o.ahead
	o.ahead = nil
}

func (o *object) close() error {
	o.drop()
	return nil
}
