package work

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/capstan-run/capstan/shuffle/checksum"
)

// A file of a checkpoint is frames, each a piece of a section, and one of length
// 0 at the end:
//
//	0  uint32  bytes of the payload
//	4  uint32  section
//	8  uint32  CRC32C of the eight bytes before and the payload; at the end the
//	           payload is the length of all payloads
//	12 uint32  zero
//	16 payload; at the end the length of all, uint64
//
// All numbers are little-endian. Section 0 is the manifest, which comes last.
const (
	frameHead = 16
	frameSize = 1 << 20
	// frameWhole is from which length on bytes are written from where they lie.
	frameWhole = 64 << 10
)

// errDamaged is in the chain of what reading a checkpoint returns when it is
// not what was written, or not there.
var errDamaged = errors.New("the checkpoint is damaged")

// frames writes a file.
type frames struct {
	w       io.Writer
	buf     []byte // head and payload so far
	section uint32
	total   uint64
}

// newFrames takes buf, which the next file may have when this one is written.
func newFrames(w io.Writer, buf []byte) *frames {
	return &frames{w: w, buf: append(buf[:0], make([]byte, frameHead)...)}
}

// turn makes what is written next a piece of a section.
func (f *frames) turn(section uint32) error {
	if section == f.section {
		return nil
	}
	err := f.flush()
	f.section = section
	return err
}

// Write is io.Writer's.
func (f *frames) Write(p []byte) (int, error) {
	if len(p) >= frameWhole {
		return f.whole(p)
	}
	f.buf = append(f.buf, p...)
	if len(f.buf) < frameHead+frameWhole {
		return len(p), nil
	}
	return len(p), f.flush()
}

// whole writes long bytes without a copy.
func (f *frames) whole(p []byte) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	n := len(p)
	for len(p) > 0 {
		payload := p[:min(len(p), frameSize)]
		f.head(payload)
		if _, err := f.w.Write(f.buf); err != nil {
			return n - len(p), err
		}
		if _, err := f.w.Write(payload); err != nil {
			return n - len(p), err
		}
		p = p[len(payload):]
	}
	return n, nil
}

// head fills in the head of a frame.
func (f *frames) head(payload []byte) {
	f.total += uint64(len(payload))
	putHead(f.buf, uint32(len(payload)), f.section, payload)
}

func putHead(b []byte, n, section uint32, payload []byte) {
	binary.LittleEndian.PutUint32(b, n)
	binary.LittleEndian.PutUint32(b[4:], section)
	binary.LittleEndian.PutUint32(b[8:], checksum.Update(checksum.Of(b[:8]), payload))
}

func (f *frames) flush() error {
	payload := f.buf[frameHead:]
	if len(payload) == 0 {
		return nil
	}
	f.head(payload)
	_, err := f.w.Write(f.buf)
	f.buf = f.buf[:frameHead]
	return err
}

// end writes the last frame.
func (f *frames) end() error {
	if err := f.flush(); err != nil {
		return err
	}
	tail := binary.LittleEndian.AppendUint64(f.buf, f.total)
	putHead(tail, 0, 0, tail[frameHead:])
	_, err := f.w.Write(tail)
	return err
}

// unframed reads a section of a file: its first length bytes, or all of them if
// length is negative. Its error where the file is not as written has errDamaged
// in its chain.
type unframed struct {
	file    io.ReadCloser
	section uint32
	left    int64
	buf     []byte
	rest    []byte // of buf, not read yet
	total   uint64 // of all sections
	err     error
}

func newUnframed(f io.ReadCloser, section uint32, length int64) *unframed {
	return &unframed{file: f, section: section, left: length}
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

// next reads a frame of the section; io.EOF after the last.
func (u *unframed) next() error {
	if u.left == 0 {
		return io.EOF
	}
	for {
		var head [frameHead]byte
		if _, err := io.ReadFull(u.file, head[:]); err != nil {
			return cutOff(err)
		}
		n, section := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
		switch {
		case n == 0:
			return u.last(head[:])
		case n > frameSize:
			return fmt.Errorf("%w: a frame of %d bytes", errDamaged, n)
		case section != u.section:
			if err := u.pass(int64(n)); err != nil {
				return err
			}
		default:
			return u.take(head[:], n)
		}
	}
}

// pass goes on behind another section's frame.
func (u *unframed) pass(n int64) error {
	u.total += uint64(n)
	if s, ok := u.file.(io.Seeker); ok {
		_, err := s.Seek(n, io.SeekCurrent)
		return err
	}
	_, err := io.CopyN(io.Discard, u.file, n)
	return cutOff(err)
}

// take reads the payload of a frame.
func (u *unframed) take(head []byte, n uint32) error {
	if cap(u.buf) < int(n) {
		u.buf = make([]byte, n)
	}
	u.buf = u.buf[:n]
	if err := u.payload(head, u.buf); err != nil {
		return err
	}
	u.total += uint64(n)
	if u.left >= 0 {
		if int64(n) > u.left {
			return fmt.Errorf("%w: a section is %d bytes longer than the manifest says", errDamaged, int64(n)-u.left)
		}
		u.left -= int64(n)
	}
	u.rest = u.buf
	return nil
}

func (u *unframed) payload(head, b []byte) error {
	if _, err := io.ReadFull(u.file, b); err != nil {
		return cutOff(err)
	}
	sum := checksum.Update(checksum.Of(head[:8]), b)
	if sum != binary.LittleEndian.Uint32(head[8:]) || binary.LittleEndian.Uint32(head[12:]) != 0 {
		return fmt.Errorf("%w: the checksum at byte %d differs", errDamaged, u.total)
	}
	return nil
}

// last reads the frame at the end.
func (u *unframed) last(head []byte) error {
	b := make([]byte, 8)
	if err := u.payload(head, b); err != nil {
		return err
	}
	if n := binary.LittleEndian.Uint64(b); n != u.total || u.left > 0 {
		return fmt.Errorf("%w: it has %d bytes of %d", errDamaged, u.total, n)
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
