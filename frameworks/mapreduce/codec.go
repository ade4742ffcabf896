package mapreduce

import (
	"encoding/json"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
)

// codec turns values of T into keys and values of the exchange, and back.
type codec[T any] struct {
	kind work.Kind
	// key encodes a key: the result is v's own memory, or dst with it appended.
	key     func(dst []byte, v T) ([]byte, error)
	fromKey func(key []byte) (T, error)
	// Of the next pairs one is set: by how values of the kind travel.
	whole     func(v T) int64
	fromWhole func(n int64) T
	float     func(v T) float64
	fromFloat func(f float64) T
	bytes     func(dst []byte, v T) ([]byte, error)
	fromBytes func(b []byte) (T, error)
	// shared says that key and bytes answer v's own memory.
	shared bool
}

// newCodec finds the codec of T. A named type has that of its underlying one.
func newCodec[T any]() (*codec[T], error) {
	t := reflect.TypeFor[T]()
	switch t.Kind() {
	case reflect.String:
		return adapt[T](stringCodec()), nil
	case reflect.Bool:
		return adapt[T](boolCodec()), nil
	case reflect.Int:
		return adapt[T](intCodec[int]()), nil
	case reflect.Int8:
		return adapt[T](intCodec[int8]()), nil
	case reflect.Int16:
		return adapt[T](intCodec[int16]()), nil
	case reflect.Int32:
		return adapt[T](intCodec[int32]()), nil
	case reflect.Int64:
		return adapt[T](intCodec[int64]()), nil
	case reflect.Uint:
		return adapt[T](uintCodec[uint]()), nil
	case reflect.Uint8:
		return adapt[T](uintCodec[uint8]()), nil
	case reflect.Uint16:
		return adapt[T](uintCodec[uint16]()), nil
	case reflect.Uint32:
		return adapt[T](uintCodec[uint32]()), nil
	case reflect.Uint64:
		return adapt[T](uintCodec[uint64]()), nil
	case reflect.Float32:
		return adapt[T](floatCodec[float32]()), nil
	case reflect.Float64:
		return adapt[T](floatCodec[float64]()), nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return adapt[T](bytesCodec()), nil
		}
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128, reflect.Interface, reflect.Uintptr:
		return nil, core.Errorf(core.Invalid, "%s cannot be a key or value", t).
			Do("use strings, []byte, numbers, booleans, or structs of them")
	}
	return jsonCodec[T](), nil
}

// adapt makes a codec of T of one of its underlying type: the functions have
// the same shape, and their arguments the same memory.
func adapt[T, U any](c *codec[U]) *codec[T] { return (*codec[T])(unsafe.Pointer(c)) }

// empty is a value of no bytes. It is not nil, which an Emitter takes for no
// value at all, and which an empty string's or slice's memory may or may not be.
var empty = []byte{}

func stringCodec() *codec[string] {
	own := func(_ []byte, v string) ([]byte, error) {
		if v == "" {
			return empty, nil
		}
		return unsafe.Slice(unsafe.StringData(v), len(v)), nil
	}
	from := func(b []byte) (string, error) { return string(b), nil }
	return &codec[string]{kind: work.Text, key: own, fromKey: from, shared: true,
		bytes: own, fromBytes: from}
}

func bytesCodec() *codec[[]byte] {
	from := func(b []byte) ([]byte, error) { return append([]byte{}, b...), nil }
	return &codec[[]byte]{kind: work.Binary, fromKey: from, fromBytes: from, shared: true,
		key: func(_, v []byte) ([]byte, error) { return v, nil },
		bytes: func(_, v []byte) ([]byte, error) {
			if v == nil {
				return empty, nil
			}
			return v, nil
		}}
}

func intCodec[T int | int8 | int16 | int32 | int64]() *codec[T] {
	return &codec[T]{kind: work.Int64,
		key:       func(dst []byte, v T) ([]byte, error) { return work.AppendIntKey(dst, int64(v)), nil },
		fromKey:   func(b []byte) (T, error) { return T(work.IntKey(b)), nil },
		whole:     func(v T) int64 { return int64(v) },
		fromWhole: func(n int64) T { return T(n) }}
}

func uintCodec[T uint | uint8 | uint16 | uint32 | uint64]() *codec[T] {
	return &codec[T]{kind: work.Uint64,
		key:       func(dst []byte, v T) ([]byte, error) { return work.AppendUintKey(dst, uint64(v)), nil },
		fromKey:   func(b []byte) (T, error) { return T(work.UintKey(b)), nil },
		whole:     func(v T) int64 { return int64(v) },
		fromWhole: func(n int64) T { return T(n) }}
}

func floatCodec[T float32 | float64]() *codec[T] {
	return &codec[T]{kind: work.Float64,
		key:       func(dst []byte, v T) ([]byte, error) { return work.AppendFloatKey(dst, float64(v)), nil },
		fromKey:   func(b []byte) (T, error) { return T(work.FloatKey(b)), nil },
		float:     func(v T) float64 { return float64(v) },
		fromFloat: func(f float64) T { return T(f) }}
}

func boolCodec() *codec[bool] {
	return &codec[bool]{kind: work.Bool,
		key:     func(dst []byte, v bool) ([]byte, error) { return work.AppendBoolKey(dst, v), nil },
		fromKey: func(b []byte) (bool, error) { return work.BoolKey(b), nil },
		whole: func(v bool) int64 {
			if v {
				return 1
			}
			return 0
		},
		fromWhole: func(n int64) bool { return n != 0 }}
}

func jsonCodec[T any]() *codec[T] {
	from := func(b []byte) (v T, err error) {
		if err := json.Unmarshal(b, &v); err != nil {
			return v, fmt.Errorf("%.80q is no %T: %w", b, v, err)
		}
		return v, nil
	}
	encode := func(_ []byte, v T) ([]byte, error) { return json.Marshal(v) }
	return &codec[T]{kind: work.Text, key: encode, fromKey: from, bytes: encode, fromBytes: from, shared: true}
}
