package input

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

var arrowMagic = []byte("ARROW1")

// arrowFile reads an Arrow IPC stream, or a file as the stream that it holds
// between its magic and its footer: the library's stream reader trusts less.
type arrowFile struct {
	src    source
	rest   io.Reader // what may follow the stream's end; nil within a file
	dec    *content
	stream *ipc.Reader
	mem    bounded
	url    string
	want   []string
	pick   []int // columns; nil for all
	schema *arrow.Schema
}

func openArrow(ctx context.Context, src source, r Range, o Options) (recordFile, error) {
	a := &arrowFile{src: src, url: r.URL, want: o.Columns, mem: bounded{Allocator: memory.DefaultAllocator, left: maxBatch}}
	whole := section(ctx, src, r.Size)
	head := make([]byte, 8)
	n, err := whole.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	codec := r.Codec
	if codec == "" {
		codec = codecByMagic(head[:n])
	}
	switch {
	case codec != "":
		err = a.openCompressed(ctx, src, codec)
	case bytes.HasPrefix(head[:n], arrowMagic):
		err = a.openFile(whole)
	default:
		a.rest = whole
		err = a.openStream(whole, r.Size)
	}
	if err != nil {
		a.release()
		return nil, err
	}
	return a, a.project()
}

func (a *arrowFile) openCompressed(ctx context.Context, src source, codec string) error {
	a.dec = new(content)
	if err := a.dec.open(ctx, src, codec); err != nil {
		return err
	}
	plain := &decoded{ctx: ctx, c: a.dec}
	head := make([]byte, 8)
	n, err := io.ReadFull(plain, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	if bytes.HasPrefix(head[:n], arrowMagic) {
		return errors.New("an Arrow file cannot be read through compression, only an Arrow stream can")
	}
	a.rest = plain
	return a.openStream(io.MultiReader(bytes.NewReader(head[:n]), plain), math.MaxInt64)
}

// openStream reads a stream of at most size bytes.
func (a *arrowFile) openStream(r io.Reader, size int64) error {
	var err error
	a.stream, err = ipc.NewReader(&frames{r: r, left: size}, ipc.WithAllocator(&a.mem))
	if err != nil {
		return fmt.Errorf("it is no Arrow stream: %w", err)
	}
	return nil
}

// decoded is content as an io.Reader.
type decoded struct {
	ctx context.Context
	c   *content
}

func (d *decoded) Read(p []byte) (int, error) {
	return d.c.next(d.ctx, p)
}

func (a *arrowFile) openFile(whole *io.SectionReader) error {
	tail := make([]byte, 10)
	if whole.Size() < 18 {
		return errors.New("the Arrow file is cut off: it has no footer")
	}
	if _, err := whole.ReadAt(tail, whole.Size()-10); err != nil {
		return err
	}
	length := int64(int32(binary.LittleEndian.Uint32(tail)))
	if !bytes.Equal(tail[4:], arrowMagic) || length <= 0 || length > min(whole.Size()-18, maxMessage) {
		return errors.New("the Arrow file is cut off: it has no footer")
	}
	const front = 8 // the magic, padded
	stream := whole.Size() - 10 - length - front
	return a.openStream(io.NewSectionReader(whole, front, stream), stream)
}

func (a *arrowFile) project() error {
	schema := a.stream.Schema()
	pick, err := project(schema, a.want, a.url)
	if err != nil || pick == nil {
		return err
	}
	fields := make([]arrow.Field, len(pick))
	for i, at := range pick {
		fields[i] = schema.Field(at)
	}
	a.pick, a.schema = pick, arrow.NewSchema(fields, nil)
	return nil
}

func (a *arrowFile) next(context.Context) (arrow.Record, error) {
	a.mem.left = maxBatch
	rec, err := a.stream.Read()
	if err == io.EOF {
		return nil, a.ended()
	}
	if err != nil {
		return nil, err
	}
	if err := checkRecord(rec); err != nil {
		return nil, err
	}
	if a.pick == nil {
		rec.Retain()
		return rec, nil
	}
	cols := make([]arrow.Array, len(a.pick))
	for i, at := range a.pick {
		cols[i] = rec.Column(at)
	}
	return array.NewRecord(a.schema, cols, rec.NumRows()), nil
}

// ended is io.EOF, or an error if more follows a stream's end: streams that
// were joined like files of text are not one stream.
func (a *arrowFile) ended() error {
	if a.rest == nil {
		return io.EOF
	}
	n, err := io.ReadFull(a.rest, make([]byte, 1))
	if n == 0 {
		return err
	}
	return errors.New("something follows the end of the Arrow stream; streams joined into one file cannot be read")
}

func (a *arrowFile) release() {
	if a.stream != nil {
		a.stream.Release()
	}
	if a.dec != nil {
		a.dec.close()
	}
}

func (a *arrowFile) close() error {
	a.release()
	return a.src.close()
}
