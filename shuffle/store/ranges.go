package store

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/capstan-run/capstan/core"
)

const (
	// coalesced is how long one GET made of several ranges becomes at most. A
	// small GET costs the embedded server as much CPU as 256 KiB of data do.
	coalesced = 16 << 20
	// gapMax is how many unwanted bytes between two ranges are rather read and
	// dropped than skipped with another GET.
	gapMax       = 512 << 10
	parallelGets = 4
)

// Range is Len bytes of an object from Off on.
type Range struct{ Off, Len int64 }

// run is one GET: the ranges it fills, in order of their offsets.
type run struct {
	Range
	parts []int // indexes into the caller's ranges
}

// ReadRanges fills into[i] with ranges[i] of the object path, for every i;
// len(into[i]) is ranges[i].Len. Neighbouring ranges share a GET of up to
// 16 MiB, and up to four GETs run at once. The ranges may come in any order
// and overlap. A range beyond the object's end is of kind Invalid. After an
// error the buffers' content is undefined.
func (c *Client) ReadRanges(ctx context.Context, path string, ranges []Range, into [][]byte) error {
	if len(ranges) != len(into) {
		return core.Errorf(core.Internal, "%d ranges and %d buffers", len(ranges), len(into)).At(path)
	}
	for i, r := range ranges {
		if r.Off < 0 || r.Len < 0 || r.Len != int64(len(into[i])) {
			return core.Errorf(core.Internal, "range %d+%d for a buffer of %d bytes", r.Off, r.Len, len(into[i])).At(path)
		}
	}
	if done, err := c.readLocal(path, ranges, into); done {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelGets)
	for _, run := range coalesce(ranges) {
		g.Go(func() error { return c.readRun(ctx, path, run, ranges, into) })
	}
	return g.Wait()
}

// coalesce groups ranges into runs. Empty ranges are in none.
func coalesce(ranges []Range) []run {
	var order []int
	for i, r := range ranges {
		if r.Len > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(ranges[a].Off, ranges[b].Off), cmp.Compare(ranges[a].Len, ranges[b].Len))
	})
	var runs []run
	for _, i := range order {
		r := ranges[i]
		if n := len(runs); n > 0 {
			last := &runs[n-1]
			end := last.Off + last.Len
			length := max(end, r.Off+r.Len) - last.Off
			if r.Off <= end+gapMax && (length <= coalesced || length == last.Len) {
				last.Len = length
				last.parts = append(last.parts, i)
				continue
			}
		}
		runs = append(runs, run{r, []int{i}})
	}
	return runs
}

func (c *Client) readRun(ctx context.Context, path string, run run, ranges []Range, into [][]byte) error {
	body, _, err := c.Get(ctx, path, run.Off, run.Len)
	if err != nil {
		return err
	}
	defer body.Close()
	at := run.Off // how far body has been read
	for n, i := range run.parts {
		off, buf := ranges[i].Off, into[i]
		if off < at {
			// An overlap: its head is the tail of buffers filled before.
			done := copyOverlap(off, buf, run.parts[:n], ranges, into)
			off, buf = off+done, buf[done:]
		}
		if len(buf) == 0 {
			continue
		}
		if _, err := io.CopyN(io.Discard, body, off-at); err != nil {
			return short(path, at, err)
		}
		got, err := io.ReadFull(body, buf)
		at = off + int64(got)
		if err != nil {
			return short(path, at, err)
		}
	}
	return nil
}

// copyOverlap fills the start of buf, the bytes from off on, from the filled
// buffers, and returns how many bytes it filled.
func copyOverlap(off int64, buf []byte, filled []int, ranges []Range, into [][]byte) int64 {
	start := off
	for progress := true; progress && len(buf) > 0; {
		progress = false
		for _, j := range filled {
			r := ranges[j]
			if r.Off <= off && off < r.Off+r.Len {
				n := copy(buf, into[j][off-r.Off:])
				off, buf, progress = off+int64(n), buf[n:], true
				break
			}
		}
	}
	return off - start
}

func short(path string, at int64, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return core.Errorf(core.Invalid, "it ends at byte %d, inside a range asked for", at).At(path)
	}
	return err
}

// totalOf reads the object's size from "bytes 0-9/123".
func totalOf(contentRange string) (int64, bool) {
	_, total, ok := strings.Cut(contentRange, "/")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(total, 10, 64)
	return n, err == nil && n >= 0
}
