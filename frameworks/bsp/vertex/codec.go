package vertex

import (
	"encoding/binary"
	"reflect"
	"unsafe"

	"github.com/capstan-run/capstan/core"
)

// Codec writes values that are not of fixed size. A program needs one for each
// of its types that holds a pointer, a string, a slice or a map.
type Codec[T any] interface {
	// Append appends v to b.
	Append(b []byte, v T) []byte
	// Decode reads the value at the front of b, and returns what follows it.
	// What it returns must not lie in b.
	Decode(b []byte) (v T, rest []byte, err error)
}

// Strings is the codec of string messages and values.
type Strings struct{}

// Append implements [Codec].
func (Strings) Append(b []byte, v string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// Decode implements [Codec].
func (Strings) Decode(b []byte) (string, []byte, error) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return "", nil, errShort
	}
	return string(b[k : k+int(n)]), b[k+int(n):], nil
}

var errShort = core.Errorf(core.Failed, "a value ends too early")

// format is how values of one type travel: as they lie in memory, or by a codec.
type format[T any] struct {
	codec Codec[T] // nil: as they lie in memory
}

// formatOf looks at T once. where names the type for the user: "message".
func formatOf[T any](codec Codec[T], where string) (format[T], error) {
	if codec == nil && !plain(reflect.TypeFor[T]()) {
		return format[T]{}, core.Errorf(core.Invalid, "values of type %v hold pointers and cannot travel as they lie in memory", reflect.TypeFor[T]()).
			At("vertex program, type of a " + where).Do("give a vertex.Codec for it")
	}
	return format[T]{codec}, nil
}

// plain reports whether values of t mean the same in another process.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return true
	case reflect.Array:
		return plain(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return false
}

func (f format[T]) plain() bool { return f.codec == nil }

// raw is the memory of values of a plain type.
func raw[T any](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}

// view is raw backwards: b begins at a multiple of 8, or is copied.
func view[T any](b []byte) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if len(b) == 0 || size == 0 {
		return nil
	}
	n := len(b) / size
	if uintptr(unsafe.Pointer(&b[0]))%unsafe.Alignof(zero) != 0 {
		out := make([]T, n)
		copy(raw(out), b)
		return out
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
}

// encode appends values to b.
func (f format[T]) encode(b []byte, values []T) []byte {
	if f.plain() {
		return append(b, raw(values)...)
	}
	for _, v := range values {
		b = f.codec.Append(b, v)
	}
	return b
}

// decode reads as many values as out takes.
func (f format[T]) decode(b []byte, out []T) error {
	if f.plain() {
		if len(b) != len(raw(out)) {
			return errShort
		}
		copy(raw(out), b)
		return nil
	}
	var err error
	for i := range out {
		if out[i], b, err = f.codec.Decode(b); err != nil {
			return err
		}
	}
	if len(b) > 0 {
		return errShort
	}
	return nil
}

// one reads the value at the front of b.
func (f format[T]) one(b []byte) (v T, rest []byte, err error) {
	if !f.plain() {
		return f.codec.Decode(b)
	}
	n := sizeOf[T]()
	if len(b) < n {
		return v, nil, errShort
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&v)), n), b)
	return v, b[n:], nil
}
