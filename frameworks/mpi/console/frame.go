package console

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Kind is what a frame is.
type Kind byte

const (
	Stdout Kind = iota + 1
	Stderr
	Bye
	Want
	Input
)

// MaxBytes is the most that a frame carries.
const MaxBytes = 32 << 10

const headBytes = 1 + 4 + 4 + 8 + 4

// Frame is a message.
type Frame struct {
	Kind Kind
	Run  int
	Rank int
	At   int64 // place of the first byte in its stream
	Data []byte
}

// write writes a frame.
func write(w io.Writer, f *Frame) error {
	b := make([]byte, headBytes, headBytes+len(f.Data))
	b[0] = byte(f.Kind)
	binary.BigEndian.PutUint32(b[1:], uint32(f.Run))
	binary.BigEndian.PutUint32(b[5:], uint32(f.Rank))
	binary.BigEndian.PutUint64(b[9:], uint64(f.At))
	binary.BigEndian.PutUint32(b[17:], uint32(len(f.Data)))
	_, err := w.Write(append(b, f.Data...))
	return err
}

// read reads a frame.
func read(r io.Reader) (*Frame, error) {
	var b [headBytes]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return nil, err
	}
	f := &Frame{Kind: Kind(b[0]), Run: int(binary.BigEndian.Uint32(b[1:])), Rank: int(binary.BigEndian.Uint32(b[5:])),
		At: int64(binary.BigEndian.Uint64(b[9:]))}
	n := binary.BigEndian.Uint32(b[17:])
	if f.Kind < Stdout || f.Kind > Input || n > MaxBytes || f.At < 0 {
		return nil, fmt.Errorf("a frame of kind %d with %d bytes at %d", f.Kind, n, f.At)
	}
	f.Data = make([]byte, n)
	_, err := io.ReadFull(r, f.Data)
	return f, err
}
