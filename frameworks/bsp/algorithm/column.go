package algorithm

import "unsafe"

// fixed are the types whose columns travel and are kept as the bytes they are.
// All ranks of a gang run the same binary, so the order of bytes is the same.
type fixed interface {
	~uint8 | ~uint32 | ~uint64 | ~int64 | ~float64
}

// bytesOf views a column as bytes.
func bytesOf[T fixed](column []T) []byte {
	if len(column) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&column[0])), len(column)*int(unsafe.Sizeof(column[0])))
}

// columnOf views bytes, which begin at a multiple of eight as blocks do, as a
// column. Bytes behind the last whole value are left out.
func columnOf[T fixed](b []byte) []T {
	var zero T
	n := len(b) / int(unsafe.Sizeof(zero))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
}
