package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/capstan-run/capstan/core"
)

// BlockReader reads the lines of a split, many at a time. It is used by one
// goroutine; Close it.
//
//	buf:  ......│ region: whole lines │ a line's beginning │ free
//	            lo                    cut                  hi
//
// advance fills the buffer and finds cut; region hands out [lo, cut), in pieces
// if bad records lie in it.
type BlockReader struct {
	o    Options
	open opener
	todo []Range

	buf         []byte // one byte longer than is ever read into: room for law I4
	lo, cut, hi int
	base        int64 // offset in the file of buf[0]
	checked     bool  // [lo, cut) is known to hold a bad line

	cur  Range
	src  source // nil between files
	dec  *content
	zip  bool  // cur is compressed: read through dec
	pos  int64 // offset in the file of the next byte to read
	end  int64 // records that begin here or later are not ours
	eof  bool
	last bool // [lo, cut) is the range's last region
	skip skipping
	long Bad // the long line being skipped

	taken int64 // stored bytes of finished ranges
}

// skipping is why input is passed over up to the next newline.
type skipping byte

const (
	skipNone skipping = iota
	skipHead          // the record before the range
	skipLong          // a record longer than MaxRecord
)

// errGone is the source's error, as against bad content.
type errGone struct{ error }

// NewBlockReader reads s. Nothing is opened before Next.
func NewBlockReader(s Split, o Options) *BlockReader {
	o.setDefaults()
	return &BlockReader{o: o, open: opener{store: o.Store}, todo: s.Ranges}
}

// Next returns the next block, or io.EOF after the last.
func (r *BlockReader) Next(ctx context.Context) (Block, error) {
	for {
		if r.lo < r.cut {
			b, err := r.region()
			if err != nil || len(b.Data) > 0 {
				return b, err
			}
			continue
		}
		if err := r.advance(ctx); err != nil {
			return Block{}, err
		}
	}
}

// Read is the stored input bytes read so far, for progress.
func (r *BlockReader) Read() int64 {
	if r.src == nil {
		return r.taken
	}
	if r.zip {
		return r.taken + r.dec.off
	}
	return r.taken + min(max(r.pos-r.cur.Offset, 0), r.cur.Length)
}

// Close releases the open file, if any.
func (r *BlockReader) Close() error {
	err := r.closeFile()
	r.todo = nil
	if r.dec != nil {
		r.dec.close()
		r.dec = nil
	}
	return err
}

// region hands out the good lines at the front of [lo, cut) and reports a bad
// one that comes first.
func (r *BlockReader) region() (Block, error) {
	data := r.buf[r.lo:r.cut]
	if !r.checked {
		if int64(len(data)) <= r.o.MaxRecord && (r.o.Binary || utf8.Valid(data)) {
			return r.take(len(data)), nil
		}
		r.checked = true
	}
	for at := 0; at < len(data); {
		n := at + bytes.IndexByte(data[at:], '\n') + 1
		line := trimCR(data[at : n-1])
		reason := r.fault(line)
		if reason == "" {
			at = n
			continue
		}
		if at > 0 {
			return r.take(at), nil
		}
		bad := Bad{File: r.cur.URL, Offset: r.base + int64(r.lo), Length: int64(len(line)), Reason: reason, Sample: sample(line),
			Long: int64(len(line)) > r.o.MaxRecord}
		r.take(n)
		return Block{}, r.o.report(bad)
	}
	return r.take(len(data)), nil
}

// fault is what is wrong with a line.
func (r *BlockReader) fault(line []byte) string {
	if int64(len(line)) > r.o.MaxRecord {
		return r.tooLong()
	}
	if !r.o.Binary && !utf8.Valid(line) {
		if i := invalidAt(line); i >= 0 {
			return fmt.Sprintf("not UTF-8 at byte %d of the record", i)
		}
	}
	return ""
}

func (r *BlockReader) tooLong() string { return "longer than " + sizeText(r.o.MaxRecord) }

// take removes the first n bytes of the region as a block.
func (r *BlockReader) take(n int) Block {
	b := Block{Data: r.buf[r.lo : r.lo+n : r.lo+n], File: r.cur.URL, Offset: r.base + int64(r.lo)}
	r.lo += n
	if r.lo == r.cut {
		r.checked = false
	}
	if b.Offset == 0 && r.o.Format == "text" && !r.o.Binary && bytes.HasPrefix(b.Data, byteOrderMark) {
		b.Data, b.Offset = b.Data[len(byteOrderMark):], int64(len(byteOrderMark))
	}
	return b
}

// advance finds the next region, opening the next range where one ended.
func (r *BlockReader) advance(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.src != nil && r.last {
		if err := r.closeFile(); err != nil {
			return err
		}
	}
	if r.src == nil {
		return r.openNext(ctx)
	}
	if err := r.makeRoom(); err != nil {
		return err
	}
	if err := r.fill(ctx); err != nil {
		return r.broken(err)
	}
	return r.findCut()
}

func (r *BlockReader) openNext(ctx context.Context) error {
	if len(r.todo) == 0 {
		return io.EOF
	}
	r.cur, r.todo = r.todo[0], r.todo[1:]
	r.lo, r.cut, r.hi, r.eof, r.last, r.skip = 0, 0, 0, false, false, skipNone
	r.zip, r.pos, r.end = false, r.cur.Offset, r.cur.Offset+r.cur.Length
	if r.pos > 0 {
		// The byte before tells whether a record begins exactly at Offset.
		r.pos--
		r.skip = skipHead
	}
	r.base = r.pos
	src, err := r.open.open(r.cur.File, r.end)
	if err != nil {
		return err
	}
	r.src = src
	if r.buf == nil {
		r.buf = make([]byte, r.o.Buffer+1)
	}
	if r.cur.Codec != "" {
		return r.unzip(ctx, r.cur.Codec)
	}
	return nil
}

// unzip turns to reading the file through codec, from its beginning.
func (r *BlockReader) unzip(ctx context.Context, codec string) error {
	r.zip, r.pos, r.base, r.end = true, 0, 0, math.MaxInt64
	r.lo, r.cut, r.hi, r.eof = 0, 0, 0, false
	if r.dec == nil {
		r.dec = new(content)
	}
	if err := r.dec.open(ctx, r.src, codec); err != nil {
		if r.dec.err != nil {
			err = errGone{err}
		}
		return r.broken(err)
	}
	return nil
}

func (r *BlockReader) closeFile() error {
	if r.src == nil {
		return nil
	}
	err := r.src.close()
	r.src = nil
	r.taken += r.cur.Length
	return err
}

// makeRoom moves the line's beginning to the front and grows the buffer for a
// long line, or gives the line up.
func (r *BlockReader) makeRoom() error {
	if r.lo > 0 {
		copy(r.buf, r.buf[r.lo:r.hi])
		r.base += int64(r.lo)
		r.hi -= r.lo
		r.lo, r.cut = 0, 0
	}
	room := len(r.buf) - 1
	if r.hi < room {
		return nil
	}
	// "\r\n" does not count as part of the record, hence the 2.
	if int64(r.hi) <= r.o.MaxRecord+2 {
		grown := make([]byte, min(int64(room)*2, max(r.o.MaxRecord+3, int64(room)+1))+1)
		copy(grown, r.buf[:r.hi])
		r.buf = grown
		return nil
	}
	r.long = Bad{File: r.cur.URL, Offset: r.base, Reason: r.tooLong(), Long: true, Sample: sample(r.buf[:r.hi])}
	r.skip = skipLong
	r.drop(r.hi)
	return nil
}

// drop forgets the buffer's first n bytes, all that precede hi when skipping.
func (r *BlockReader) drop(n int) {
	r.lo = n
	r.cut = n
	if r.lo == r.hi {
		r.base += int64(r.hi)
		r.lo, r.cut, r.hi = 0, 0, 0
	}
}

// fill reads once into the free part of the buffer.
func (r *BlockReader) fill(ctx context.Context) error {
	free := r.buf[r.hi : len(r.buf)-1]
	if left := r.end - r.pos; left <= 0 {
		// Past the range only the rest of one record is wanted.
		free = free[:min(len(free), 16<<10)]
	} else if int64(len(free)) > left {
		free = free[:left]
	}
	var n int
	var err error
	if r.zip {
		n, err = r.dec.next(ctx, free)
		if err != nil && r.dec.err != nil {
			err = errGone{err}
		}
	} else if n, err = r.src.readAt(ctx, free, r.pos); err != nil && err != io.EOF {
		err = errGone{err}
	}
	first := r.pos == 0
	r.hi += n
	r.pos += int64(n)
	if err == io.EOF {
		r.eof, err = true, nil
		if !r.zip && r.pos < r.end {
			return changed(r.cur.File, r.pos)
		}
	}
	if err == nil && first && !r.zip {
		return r.sniff(ctx)
	}
	return err
}

// sniff looks for a codec's magic at the beginning of a file whose name
// promised none.
func (r *BlockReader) sniff(ctx context.Context) error {
	codec := codecByMagic(r.buf[:r.hi])
	if codec == "" {
		return nil
	}
	if r.cur.Length < r.cur.Size {
		r.hi = r.lo // none of it is lines
		return fmt.Errorf("the content is %s, but the file was cut into ranges as plain text", codec)
	}
	return r.unzip(ctx, codec)
}

// broken ends a range whose content cannot be read on: its rest is one bad
// record. Lines that were whole before it are delivered.
func (r *BlockReader) broken(err error) error {
	var gone errGone
	if errors.As(err, &gone) {
		return readError(r.cur.URL, gone.error)
	}
	var bad *core.Error
	if errors.As(err, &bad) {
		return err
	}
	lost := Bad{File: r.cur.URL, Length: -1, Reason: "the rest of the file is unreadable: " + err.Error()}
	whole := bytes.LastIndexByte(r.buf[r.lo:r.hi], '\n') + 1
	if r.skip != skipNone {
		whole = 0
	}
	r.cut = r.lo + whole
	lost.Offset = r.base + int64(r.cut)
	lost.Sample = sample(r.buf[r.cut:r.hi])
	if r.skip == skipLong {
		lost.Offset, lost.Sample = r.long.Offset, r.long.Sample
	}
	r.skip, r.last = skipNone, true
	return r.o.report(lost)
}

// findCut sets cut behind the last whole line of ours in the buffer.
func (r *BlockReader) findCut() error {
	if r.skip != skipNone {
		if done, err := r.pass(); !done || err != nil {
			return err
		}
	}
	if r.base+int64(r.lo) >= r.end {
		r.last = true
		return nil
	}
	// The first newline at or behind end-1 ends the last line that begins before end.
	if from := r.end - 1 - r.base; from < int64(r.hi) {
		at := max(int(from), r.lo)
		if i := bytes.IndexByte(r.buf[at:r.hi], '\n'); i >= 0 {
			r.cut, r.last = at+i+1, true
			return nil
		}
	}
	if r.eof {
		r.last = true
		if r.hi > r.lo && r.buf[r.hi-1] != '\n' {
			r.buf[r.hi] = '\n'
			r.hi++
		}
		r.cut = r.hi
		return nil
	}
	r.cut = r.lo + bytes.LastIndexByte(r.buf[r.lo:r.hi], '\n') + 1
	return nil
}

// pass skips to behind the next newline and reports whether it was found.
func (r *BlockReader) pass() (bool, error) {
	n := bytes.IndexByte(r.buf[r.lo:r.hi], '\n')
	stop := r.hi
	if n >= 0 {
		stop = r.lo + n
	}
	why := r.skip
	if why == skipLong {
		r.long.Length = r.base + int64(stop) - r.long.Offset
	}
	if n < 0 {
		r.drop(r.hi)
		// A record that begins before the range and ends behind it leaves the
		// range none: its rest is another range's to read.
		none := why == skipHead && r.base >= r.end-1
		if !r.eof && !none {
			return false, nil
		}
		r.last = true
	} else {
		r.drop(stop + 1)
	}
	r.skip = skipNone
	if why == skipLong {
		return n >= 0, r.o.report(r.long)
	}
	return n >= 0, nil
}
