package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	version    = 1
	maxName    = 255
	maxMessage = 1 << 10

	statusRange   = 0
	statusAbsent  = 1
	statusRefused = 2
)

// DefaultPatience is how long a side waits where nothing is set.
const DefaultPatience = 30 * time.Second

// ErrRefused is in the chain of an error about an answer that is neither the
// range nor that there is no such object.
var ErrRefused = errors.New("peer refused")

// request asks for length bytes of an object from off on.
type request struct {
	name        string
	off, length int64
}

func (r request) append(b []byte) []byte {
	b = append(b, version, byte(len(r.name)))
	b = append(b, r.name...)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.off))
	return binary.LittleEndian.AppendUint64(b, uint64(r.length))
}

// readRequest reads a request. io.EOF means that there is none.
func readRequest(r io.Reader) (request, error) {
	var b [maxName + 16]byte
	if _, err := io.ReadFull(r, b[:2]); err != nil {
		return request{}, err
	}
	if b[0] != version {
		return request{}, fmt.Errorf("request of version %d, this program speaks %d", b[0], version)
	}
	n := int(b[1])
	if _, err := io.ReadFull(r, b[:n+16]); err != nil {
		return request{}, fmt.Errorf("read request: %w", err)
	}
	q := request{
		name:   string(b[:n]),
		off:    int64(binary.LittleEndian.Uint64(b[n:])),
		length: int64(binary.LittleEndian.Uint64(b[n+8:])),
	}
	return q, q.check()
}

// check holds law R1.
func (r request) check() error {
	if r.name == "" || r.name == "." || r.name == ".." || len(r.name) > maxName || r.name != filepath.Base(r.name) {
		return fmt.Errorf("%q is not an object's name", r.name)
	}
	if r.off < 0 || r.length < 0 || r.off+r.length < r.off {
		return fmt.Errorf("range of %d bytes at %d", r.length, r.off)
	}
	return nil
}

func appendAnswer(b []byte, status byte, length int64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, status), uint64(length))
}

// readAnswer reads the head of an answer to a request for want bytes. An
// answer other than the range is an error; then the connection is good still.
func readAnswer(r io.Reader, want int64) (good bool, err error) {
	var b [9]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return false, fmt.Errorf("read answer: %w", err)
	}
	n := binary.LittleEndian.Uint64(b[1:])
	if b[0] == statusRange {
		if n != uint64(want) {
			return false, fmt.Errorf("%w: answer of %d bytes for a range of %d", ErrRefused, n, want)
		}
		return true, nil
	}
	if n > maxMessage {
		return false, fmt.Errorf("%w: message of %d bytes", ErrRefused, n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return false, fmt.Errorf("read answer: %w", err)
	}
	if b[0] == statusAbsent {
		return true, fmt.Errorf("%s: %w", text, os.ErrNotExist)
	}
	return true, fmt.Errorf("%w: %s", ErrRefused, text)
}
