package store

import (
	"context"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/core"
)

// leastWeight is what a small GET counts for in the bytes in flight: it costs
// the server as much as so much data.
const leastWeight = 256 << 10

// ReadRanges fills into[i] with ranges[i] of the object path, for every i;
// len(into[i]) is ranges[i].Len. The ranges may come in any order and overlap.
//
// Ranges at most 512 KiB apart share a GET, and a stretch of them beyond 16 MiB
// is cut into GETs of 8 to 16 MiB. Config.Parallel of them run at once, as far
// as all calls of the client together stay below Config.InFlight bytes. A GET
// that takes unusually long is asked for a second time (law S6).
//
// All bytes come from one version of the object: if it was replaced meanwhile
// the error is ErrNotFound. A range beyond the object's end is of kind Invalid.
// Lengths are verified here and checksums by the caller. After an error the
// buffers' content is undefined.
func (c *Client) ReadRanges(ctx context.Context, path string, ranges []Range, into [][]byte) error {
	p, err := ParsePath(path)
	if err == nil {
		err = checkRanges(path, ranges, into)
	}
	if err != nil {
		return err
	}
	if done, err := c.readLocal(p, ranges, into); done {
		return err
	}
	pieces, echoes := plan(ranges, into)
	f := &fetch{c: c, p: p}
	if len(pieces) == 1 {
		err = f.piece(ctx, pieces[0])
	} else {
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(c.cfg.Parallel)
		for _, piece := range pieces {
			g.Go(func() error { return f.piece(gctx, piece) })
		}
		err = g.Wait()
	}
	if err == nil {
		answer(echoes, pieces)
	}
	return err
}

// fetch is one call of ReadRanges.
type fetch struct {
	c *Client
	p Path

	mu   sync.Mutex
	etag string // of the version that the first answer came from
}

func (f *fetch) piece(ctx context.Context, p piece) error {
	weight := min(max(p.Len, leastWeight), f.c.cfg.InFlight)
	if err := f.c.inFlight.Acquire(ctx, weight); err != nil {
		return classify(ctx, "get", f.p.String(), err)
	}
	defer f.c.inFlight.Release(weight)
	start := time.Now()
	var spare []byte
	overtaken, err := f.c.hedges.race(ctx, p.Len,
		func(ctx context.Context) error { return f.read(ctx, p) },
		func(ctx context.Context) (err error) {
			spare, err = f.again(ctx, p)
			return err
		})
	if err != nil {
		return err
	}
	f.c.hedges.observe(p.Len, time.Since(start))
	if overtaken {
		for _, part := range p.fills {
			copy(part.buf, spare[part.off-p.Off:])
		}
	}
	return nil
}

// again reads p into memory of its own: the first GET may still write into the
// caller's.
func (f *fetch) again(ctx context.Context, p piece) ([]byte, error) {
	if f.c.pace.slow(f.p.folder()) || !f.c.inFlight.TryAcquire(p.Len) {
		return nil, errNoHedge
	}
	defer f.c.inFlight.Release(p.Len)
	if !f.c.hedges.take() {
		return nil, errNoHedge
	}
	spare := make([]byte, p.Len)
	return spare, f.read(ctx, piece{p.Range, []fill{{p.Off, spare}}})
}

// read fills p's buffers by one GET, or several if connections break.
func (f *fetch) read(ctx context.Context, p piece) error {
	body, info, err := f.c.openRemote(ctx, f.p, p.Off, p.Len)
	if err != nil {
		return err
	}
	defer body.Close()
	if !f.sameVersion(info.ETag) {
		return replaced(f.p)
	}
	at := p.Off
	for _, part := range p.fills {
		skipped, err := io.CopyN(io.Discard, body, part.off-at)
		if err != nil {
			return short(f.p, at+skipped, err)
		}
		n, err := io.ReadFull(body, part.buf)
		at = part.off + int64(n)
		if err != nil {
			return short(f.p, at, err)
		}
	}
	return nil
}

func (f *fetch) sameVersion(etag string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.etag == "" {
		f.etag = etag
	}
	return f.etag == etag
}

func short(p Path, at int64, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return core.Errorf(core.Invalid, "it ends at byte %d, inside a range asked for", at).At(p.String())
	}
	return err
}
