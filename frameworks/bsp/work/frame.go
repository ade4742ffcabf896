package work

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/capstan-run/capstan/shuffle/checksum"
)

// A section's file is frames, and one of length 0 at the end:
//
//	0  uint32  bytes that follow the head
//	4  uint32  CRC32C of them; at the end that of the length of all, 8 bytes
//	8  payload; at the end the length of all, uint64
//
// All numbers are little-endian.
const (
	frameHead = 8
	frameSize = 1 << 20
)

// errDamaged is in the chain of what reading a checkpoint returns when it is
// not what was written, or not there.
var errDamaged = errors.New("the checkpoint is damaged")

// frames writes a section's file.
type frames struct {
	w     io.Writer
	buf   []byte // head and payload so far
	total uint64
}

func newFrames(w io.Writer) *frames {
	return &frames{w: w, buf: make([]byte, frameHead, frameHead+frameSize)}
}

// Write is io.Writer's.
func (f *frames) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		take := min(len(p), cap(f.buf)-len(f.buf))
		f.buf = append(f.buf, p[:take]...)
		p = p[take:]
		if len(f.buf) == cap(f.buf) {
			if err := f.flush(); err != nil {
				return n - len(p), err
			}
		}
	}
	return n, nil
}

func (f *frames) flush() error {
	payload := f.buf[frameHead:]
	if len(payload) == 0 {
		return nil
	}
	f.total += uint64(len(payload))
	binary.LittleEndian.PutUint32(f.buf, uint32(len(payload)))
	binary.LittleEndian.PutUint32(f.buf[4:], checksum.Of(payload))
	_, err := f.w.Write(f.buf)
	f.buf = f.buf[:frameHead]
	return err
}

// end writes the last frame.
func (f *frames) end() error {
	if err := f.flush(); err != nil {
		return err
	}
	length := binary.LittleEndian.AppendUint64(nil, f.total)
	tail := make([]byte, frameHead, frameHead+len(length))
	binary.LittleEndian.PutUint32(tail[4:], checksum.Of(length))
	_, err := f.w.Write(append(tail, length...))
	return err
}

// unframed reads a section's file. Its error where the file is not as written
// has errDamaged in its chain.
type unframed struct {
	file  io.ReadCloser
	r     *bufio.Reader
	buf   []byte
	rest  []byte // of buf, not read yet
	total uint64
	err   error
}

func newUnframed(f io.ReadCloser) *unframed {
	return &unframed{file: f, r: bufio.NewReaderSize(f, 64<<10)}
}

// Read is io.Reader's.
func (u *unframed) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		if u.err == nil {
			u.err = u.next()
		}
		if u.err != nil {
			return 0, u.err
		}
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// next reads a frame; io.EOF after the last.
func (u *unframed) next() error {
	var head [frameHead]byte
	if _, err := io.ReadFull(u.r, head[:]); err != nil {
		return cutOff(err)
	}
	n, sum := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
	last := n == 0
	if last {
		n = 8
	}
	if n > frameSize {
		return fmt.Errorf("%w: a frame of %d bytes", errDamaged, n)
	}
	if cap(u.buf) < int(n) {
		u.buf = make([]byte, n)
	}
	u.buf = u.buf[:n]
	if _, err := io.ReadFull(u.r, u.buf); err != nil {
		return cutOff(err)
	}
	if checksum.Of(u.buf) != sum {
		return fmt.Errorf("%w: the checksum at byte %d differs", errDamaged, u.total)
	}
	if !last {
		u.total += uint64(n)
		u.rest = u.buf
		return nil
	}
	if binary.LittleEndian.Uint64(u.buf) != u.total {
		return fmt.Errorf("%w: it has %d bytes of %d", errDamaged, u.total, binary.LittleEndian.Uint64(u.buf))
	}
	return io.EOF
}

func cutOff(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: it is cut off", errDamaged)
	}
	return err
}

// Close is io.Closer's.
func (u *unframed) Close() error { return u.file.Close() }
