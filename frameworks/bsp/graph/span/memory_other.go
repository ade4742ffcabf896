//go:build !linux

package span

import (
	"io"
	"os"
	"unsafe"
)

// alloc is memory aligned for any number.
func alloc(n int) []byte {
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

func anonymous(n int) ([]byte, error) { return alloc(n), nil }

// mapFile reads the file: elsewhere than on Linux graphs fit into memory.
func mapFile(f *os.File, n int) ([]byte, error) {
	b := alloc(n)
	_, err := io.ReadFull(io.NewSectionReader(f, 0, int64(n)), b)
	return b, err
}

func unmap([]byte) error { return nil }
