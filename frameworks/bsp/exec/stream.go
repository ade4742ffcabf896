package exec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// stream is one that the process has begun to write.
type stream struct {
	p      *process
	kind   string
	about  map[string]string
	reader *ipc.Reader
}

// next reads the beginning of a stream, of whose batches none may have buffers
// of more than most bytes.
func (p *process) next(most int64) (s *stream, err error) {
	defer recovered(&err)
	if err := p.framed(); err != nil {
		return nil, corrupt(err)
	}
	r, err := ipc.NewReader(p.reader, ipc.WithAllocator(bounded{memory.NewGoAllocator(), most}))
	if err != nil {
		return nil, corrupt(err)
	}
	about := map[string]string{}
	m := r.Schema().Metadata()
	for i, k := range m.Keys() {
		about[k] = m.Values()[i]
	}
	s = &stream{p, about["bsp"], about, r}
	if s.kind == "" {
		s.close()
		return nil, errors.New(`it wrote a stream whose metadata has no key "bsp"`)
	}
	return s, nil
}

// each calls f for each record to the stream's end.
func (s *stream) each(f func(arrow.Record) error) (err error) {
	for {
		rec, err := s.read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return corrupt(err)
		}
		if err := whole(rec); err != nil {
			return corrupt(err)
		}
		if err := f(rec); err != nil {
			return err
		}
	}
}

func (s *stream) read() (rec arrow.Record, err error) {
	defer recovered(&err)
	if err := s.p.framed(); err != nil {
		return nil, err
	}
	return s.reader.Read()
}

// maxHead bounds what describes a schema or a batch, in bytes.
const maxHead = 16 << 20

// framed checks that a message of a stream comes next. Arrow's reader would take
// the first letters of a text for a length, and wait for so many bytes.
func (p *process) framed() error {
	b, err := p.reader.Peek(8)
	if len(b) >= 4 && binary.LittleEndian.Uint32(b) != 0xffffffff {
		return fmt.Errorf("a message begins with %q", b)
	}
	if err != nil {
		return io.ErrUnexpectedEOF
	}
	if n := binary.LittleEndian.Uint32(b[4:]); n > maxHead {
		return fmt.Errorf("a message is described by %d bytes", n)
	}
	return nil
}

func (s *stream) close() { s.reader.Release() }

// recovered makes an error of a panic: Arrow's reader believes what it reads.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%v", v)
	}
}

func corrupt(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return fmt.Errorf("it wrote what is no Arrow IPC stream (nothing else may be printed to stdout): %w", err)
}

// whole checks what Arrow's reader does not: that each array has the record's
// length and may be read.
func whole(rec arrow.Record) (err error) {
	defer recovered(&err)
	for i, c := range rec.Columns() {
		if int64(c.Len()) != rec.NumRows() {
			return fmt.Errorf("column %s has %d of %d rows", rec.ColumnName(i), c.Len(), rec.NumRows())
		}
		if v, ok := c.(interface{ ValidateFull() error }); ok {
			if err := v.ValidateFull(); err != nil {
				return fmt.Errorf("column %s: %w", rec.ColumnName(i), err)
			}
		}
		if c.Len() > 0 {
			_ = array.NewSlice(c, int64(c.Len()-1), int64(c.Len())).String()
		}
	}
	return nil
}

// bounded is an allocator that panics rather than believe a length beyond most.
type bounded struct {
	memory.Allocator
	most int64
}

func (b bounded) Allocate(size int) []byte {
	b.check(size)
	return b.Allocator.Allocate(size)
}

func (b bounded) Reallocate(size int, p []byte) []byte {
	b.check(size)
	return b.Allocator.Reallocate(size, p)
}

func (b bounded) check(size int) {
	if size < 0 || int64(size) > b.most {
		panic(fmt.Sprintf("a buffer of %d bytes, more than the %d of memory", size, b.most))
	}
}
