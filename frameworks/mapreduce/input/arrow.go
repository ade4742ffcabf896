package input

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// maxMessage is the longest metadata of an IPC message that is believed.
const maxMessage = 64 << 20

var arrowMagic = []byte("ARROW1")

// arrowFile reads an Arrow IPC file or stream.
type arrowFile struct {
	src    source
	dec    *content
	file   *ipc.FileReader
	stream *ipc.Reader
	at     int // next record of file
	url    string
	want   []string
	pick   []int // columns; nil for all
	schema *arrow.Schema
}

func openArrow(ctx context.Context, src source, r Range, o Options) (recordFile, error) {
	a := &arrowFile{src: src, url: r.URL, want: o.Columns}
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
		if err = checkFirst(head[:n], r.Size); err == nil {
			a.stream, err = ipc.NewReader(whole)
		}
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
		if a.dec.err != nil {
			return errGone{err}
		}
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
	if err := checkFirst(head[:n], maxMessage); err != nil {
		return err
	}
	a.stream, err = ipc.NewReader(io.MultiReader(bytes.NewReader(head[:n]), plain))
	return err
}

// decoded is content as an io.Reader.
type decoded struct {
	ctx context.Context
	c   *content
}

func (d *decoded) Read(p []byte) (int, error) {
	n, err := d.c.next(d.ctx, p)
	if err != nil && d.c.err != nil {
		err = errGone{err}
	}
	return n, err
}

// checkFirst checks the framing of a stream's first message, whose length the
// library allocates on trust.
func checkFirst(head []byte, size int64) error {
	if len(head) < 8 {
		return errors.New("it is no Arrow stream: it is too short")
	}
	length := int64(binary.LittleEndian.Uint32(head))
	if length == 0xffffffff {
		length = int64(binary.LittleEndian.Uint32(head[4:]))
	}
	if length == 0 || length > min(size, maxMessage) {
		return fmt.Errorf("it is no Arrow stream: its first message claims %d bytes", length)
	}
	return nil
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
	var err error
	a.file, err = ipc.NewFileReader(whole)
	return err
}

func (a *arrowFile) project() error {
	schema := a.schemaOf()
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

func (a *arrowFile) schemaOf() *arrow.Schema {
	if a.file != nil {
		return a.file.Schema()
	}
	return a.stream.Schema()
}

func (a *arrowFile) next(context.Context) (arrow.Record, error) {
	rec, err := a.record()
	if err != nil {
		return nil, err
	}
	if err := checkRecord(rec); err != nil {
		rec.Release()
		return nil, err
	}
	if a.pick == nil {
		return rec, nil
	}
	defer rec.Release()
	cols := make([]arrow.Array, len(a.pick))
	for i, at := range a.pick {
		cols[i] = rec.Column(at)
	}
	return array.NewRecord(a.schema, cols, rec.NumRows()), nil
}

// record returns the next record, retained.
func (a *arrowFile) record() (arrow.Record, error) {
	if a.file == nil {
		rec, err := a.stream.Read()
		if err == nil {
			rec.Retain()
		}
		return rec, err
	}
	if a.at >= a.file.NumRecords() {
		return nil, io.EOF
	}
	rec, err := a.file.RecordAt(a.at)
	a.at++
	return rec, err
}

func (a *arrowFile) release() {
	if a.stream != nil {
		a.stream.Release()
	}
	if a.file != nil {
		a.file.Close()
	}
	if a.dec != nil {
		a.dec.close()
	}
}

func (a *arrowFile) close() error {
	a.release()
	return a.src.close()
}
