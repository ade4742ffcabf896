package input

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

const (
	// maxMessage is the longest metadata of an IPC message that is believed.
	maxMessage = 64 << 20
	// maxBatch is the most memory for one record batch.
	maxBatch = 1 << 30
)

// frames passes an Arrow IPC stream on, message by message, after checking the
// lengths that the library would allocate on trust.
type frames struct {
	r    io.Reader
	left int64  // bytes that may follow
	head []byte // prefix and metadata not yet passed on
	body int64  // bytes of body not yet passed on
	done bool
}

func (f *frames) Read(p []byte) (int, error) {
	for len(f.head) == 0 && f.body == 0 {
		if f.done {
			return 0, io.EOF
		}
		if err := f.message(); err != nil {
			return 0, err
		}
	}
	if len(f.head) > 0 {
		n := copy(p, f.head)
		f.head = f.head[n:]
		return n, nil
	}
	n, err := f.r.Read(p[:min(int64(len(p)), f.body)])
	f.body -= int64(n)
	if err == io.EOF && f.body > 0 {
		err = io.ErrUnexpectedEOF
	} else if err == io.EOF {
		err = nil
	}
	return n, err
}

// message reads the next message's prefix and metadata.
func (f *frames) message() error {
	prefix := make([]byte, 8)
	n, err := io.ReadFull(f.r, prefix[:4])
	if err == io.EOF {
		f.done = true // an end without its mark is an end
		return nil
	}
	if err != nil {
		return err
	}
	length := int64(binary.LittleEndian.Uint32(prefix))
	if length == 0xffffffff {
		if _, err := io.ReadFull(f.r, prefix[4:]); err != nil {
			return unexpected(err)
		}
		n, length = 8, int64(binary.LittleEndian.Uint32(prefix[4:]))
	}
	f.left -= int64(n)
	if length == 0 {
		f.head, f.done = prefix[:n], true
		return nil
	}
	if length > min(maxMessage, f.left) {
		return fmt.Errorf("a message claims %d bytes of metadata", length)
	}
	f.head = append(prefix[:n:n], make([]byte, length)...)
	if _, err := io.ReadFull(f.r, f.head[n:]); err != nil {
		return unexpected(err)
	}
	f.left -= length
	body, ok := bodyLength(f.head[n:])
	if !ok || body < 0 || body > min(f.left, maxBatch) {
		return fmt.Errorf("a message claims %d bytes of body, %d are left", body, f.left)
	}
	f.body = body
	f.left -= body
	return nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// bodyLength reads Message.bodyLength, the fourth field of the flatbuffer's
// root table (Arrow's Message.fbs), and reports whether it lies where it can.
func bodyLength(meta []byte) (int64, bool) {
	at := func(i, n int64) []byte {
		if i < 0 || i+n > int64(len(meta)) {
			return nil
		}
		return meta[i : i+n]
	}
	b := at(0, 4)
	if b == nil {
		return 0, false
	}
	root := int64(binary.LittleEndian.Uint32(b))
	if b = at(root, 4); b == nil {
		return 0, false
	}
	vtable := root - int64(int32(binary.LittleEndian.Uint32(b)))
	if b = at(vtable, 2); b == nil {
		return 0, false
	}
	const slot = 4 + 2*3
	if binary.LittleEndian.Uint16(b) < slot+2 {
		return 0, true // absent: the default
	}
	if b = at(vtable+slot, 2); b == nil {
		return 0, false
	}
	off := int64(binary.LittleEndian.Uint16(b))
	if off == 0 {
		return 0, true
	}
	if b = at(root+off, 8); b == nil {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(b)), true
}

// bounded allocates at most left bytes until it is filled up again. Beyond, it
// panics: the library has no other way to hear no. contained recovers it.
type bounded struct {
	memory.Allocator
	left int
}

var errTooLarge = errors.New("a record batch claims more than 1 GiB")

func (b *bounded) take(n int) {
	if n < 0 || n > b.left {
		panic(errTooLarge)
	}
	b.left -= n
}

func (b *bounded) Allocate(n int) []byte {
	b.take(n)
	return b.Allocator.Allocate(n)
}

func (b *bounded) Reallocate(n int, p []byte) []byte {
	b.take(n)
	return b.Allocator.Reallocate(n, p)
}
