package shuffle

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/capstan-run/capstan/shuffle/checksum"
)

// The trailer ends the file: the footer's length, the CRC32C of the footer and
// that length, then the magic.
const (
	trailerSize = 16
	magic       = "CAPXCHG" // and the version as a digit
	maxFooter   = 1 << 30
)

// footer returns the footer of the object that x describes, trailer included.
// Name, Object and Size are not in it: a file does not know where it lies.
func footer(x Index) ([]byte, error) {
	x.Name, x.Object, x.Size = "", "", 0
	b, err := x.MarshalBinary()
	if err != nil {
		return nil, err
	}
	if len(b) > maxFooter {
		return nil, fmt.Errorf("footer of %d bytes, more than %d: write larger batches", len(b), maxFooter)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)))
	b = binary.LittleEndian.AppendUint32(b, checksum.Of(b))
	return fmt.Appendf(b, "%s%d", magic, x.Version), nil
}

// ReadFooter reads the index of an object of size bytes from its end: for
// tools that hold a file and no index. Name and Object stay empty. What is not
// an intact exchange object is [ErrCorrupt]; the partitions are not verified.
func ReadFooter(r io.ReaderAt, size int64) (*Index, error) {
	if size < trailerSize {
		return nil, fmt.Errorf("%w: %d bytes are no exchange object", ErrCorrupt, size)
	}
	var t [trailerSize]byte
	if _, err := r.ReadAt(t[:], size-trailerSize); err != nil {
		return nil, fmt.Errorf("read trailer: %w", err)
	}
	n := int64(binary.LittleEndian.Uint32(t[:]))
	version := uint16(t[15] - '0')
	if string(t[8:15]) != magic || version < 1 || version > Version || n > maxFooter || n > size-trailerSize {
		return nil, fmt.Errorf("%w: no exchange object's trailer at the end", ErrCorrupt)
	}
	b := make([]byte, n+4)
	if _, err := r.ReadAt(b, size-trailerSize-n); err != nil {
		return nil, fmt.Errorf("read footer: %w", err)
	}
	if checksum.Of(b) != binary.LittleEndian.Uint32(t[4:]) {
		return nil, fmt.Errorf("%w: footer's checksum does not match", ErrCorrupt)
	}
	x := new(Index)
	if err := x.UnmarshalBinary(b[:n]); err != nil {
		return nil, err
	}
	if x.Version != version {
		return nil, fmt.Errorf("%w: trailer of version %d after a footer of version %d", ErrCorrupt, version, x.Version)
	}
	x.Size = size
	return x, nil
}
