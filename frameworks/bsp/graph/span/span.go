// Package span is long arrays of numbers outside of the heap: in memory of
// large pages, which random reads are a good deal faster in, or in a file that
// is mapped, for what is longer than memory.
//
// The garbage collector neither scans nor counts a span; its owner closes it.
// After Close the slice must not be touched.
package span

import (
	"io"
	"os"
	"unsafe"
)

// Number is what spans are of.
type Number interface {
	~uint8 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64
}

// Span owns the memory of an array.
type Span[T Number] struct {
	Data   []T
	mapped []byte
	file   *os.File
}

// Make returns n zeros in memory.
func Make[T Number](n int) (*Span[T], error) {
	if n == 0 {
		return &Span[T]{Data: []T{}}, nil
	}
	b, err := anonymous(n * size[T]())
	if err != nil {
		return nil, err
	}
	return &Span[T]{Data: values[T](b, n), mapped: b}, nil
}

// Mapped reports whether the array lies in a file.
func (s *Span[T]) Mapped() bool { return s.file != nil }

// Close gives the memory back, and removes the file.
func (s *Span[T]) Close() error {
	b, f := s.mapped, s.file
	s.Data, s.mapped, s.file = nil, nil, nil
	err := unmap(b)
	if f != nil {
		if e := f.Close(); err == nil {
			err = e
		}
	}
	return err
}

// Writer writes the array of a file from its front to its end.
type Writer[T Number] struct {
	file *os.File
	n    int
}

// NewWriter begins a file in dir that has no name: it is gone with the process,
// however that ends.
func NewWriter[T Number](dir string) (*Writer[T], error) {
	f, err := Scratch(dir)
	if err != nil {
		return nil, err
	}
	return &Writer[T]{file: f}, nil
}

// Write appends values, many at a time.
func (w *Writer[T]) Write(values []T) error {
	_, err := w.file.Write(Bytes(values))
	w.n += len(values)
	return err
}

// Span maps what was written. The writer is used up.
func (w *Writer[T]) Span() (*Span[T], error) {
	if w.n == 0 {
		return &Span[T]{Data: []T{}}, w.file.Close()
	}
	b, err := mapFile(w.file, w.n*size[T]())
	if err != nil {
		_ = w.file.Close()
		return nil, err
	}
	return &Span[T]{Data: values[T](b, w.n), mapped: b, file: w.file}, nil
}

// Close drops a writer of which no span was made.
func (w *Writer[T]) Close() error { return w.file.Close() }

// Scratch makes a file in dir that has no name.
func Scratch(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "span-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Bytes is the memory of values, in the machine's byte order. It is the same
// memory.
func Bytes[T Number](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*size[T]())
}

// Of is the values in b, which is aligned to T and whole. It is the same memory.
func Of[T Number](b []byte) []T {
	if len(b) == 0 {
		return nil
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(b)))%uintptr(size[T]()) != 0 || len(b)%size[T]() != 0 {
		panic("span: bytes that are no array")
	}
	return values[T](b, len(b)/size[T]())
}

// ReadFull fills values from r.
func ReadFull[T Number](r io.Reader, values []T) error {
	_, err := io.ReadFull(r, Bytes(values))
	return err
}

func size[T Number]() int {
	var z T
	return int(unsafe.Sizeof(z))
}

func values[T Number](b []byte, n int) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}
