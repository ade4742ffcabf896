package mpi

import (
	"reflect"
	"unsafe"
)

// Number is what the reductions of this package know. Other types take part
// with operators of their own.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 |
		~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 |
		~float32 | ~float64
}

// kind is what an element is, as a message's trailer says it. Its numbers are
// those of [reflect.Kind], but for the widths that an int may have.
type kind uint8

const (
	kindNone   kind = 0
	kindBytes       = kind(reflect.Uint8)
	kindPlain       = kind(reflect.Struct) // a struct or an array without pointers
	kindCount       = kindPlain + 1
	kindObject      = kind(reflect.Interface) // encoded by package gob
)

func (k kind) String() string { return reflect.Kind(k).String() }

// kindOf is what T is; kindNone for a type that has pointers.
func kindOf[T any]() kind {
	switch any((*T)(nil)).(type) {
	case *float64:
		return kind(reflect.Float64)
	case *float32:
		return kind(reflect.Float32)
	case *int, *int64:
		return kind(reflect.Int64)
	case *int32:
		return kind(reflect.Int32)
	case *byte:
		return kindBytes
	}
	return kindOfType(reflect.TypeFor[T]())
}

func kindOfType(t reflect.Type) kind {
	switch k := t.Kind(); k {
	case reflect.Int:
		return kind(reflect.Int64)
	case reflect.Uint, reflect.Uintptr:
		return kind(reflect.Uint64)
	case reflect.Struct:
		for i := range t.NumField() {
			if kindOfType(t.Field(i).Type) == kindNone {
				return kindNone
			}
		}
		return kindPlain
	case reflect.Array:
		if kindOfType(t.Elem()) == kindNone {
			return kindNone
		}
		return kindPlain
	default:
		if k <= reflect.Complex128 {
			return kind(k)
		}
		return kindNone
	}
}

// bytesOf is the memory of values.
func bytesOf[T any](values []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*sizeOf[T]())
}

// valuesOf is memory as values. It must start at a multiple of what T needs;
// odd bytes at the end are left out.
func valuesOf[T any](b []byte) []T {
	size := sizeOf[T]()
	if size == 0 || len(b) < size {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/size)
}

func sizeOf[T any]() int {
	var zero T
	return int(unsafe.Sizeof(zero))
}
