package multilang

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxMessage is the longest message that is taken.
const maxMessage = 32 << 20

// frames reads messages: what stands before a line "end".
type frames struct {
	r   *bufio.Reader
	buf []byte
}

func newFrames(r io.Reader) *frames { return &frames{r: bufio.NewReaderSize(r, 256<<10)} }

// next is the next message, good until the one after it. io.EOF comes between
// messages; in the middle of one it is io.ErrUnexpectedEOF.
func (f *frames) next() ([]byte, error) {
	f.buf = f.buf[:0]
	for {
		start := len(f.buf)
		if err := f.line(); err != nil {
			if errors.Is(err, io.EOF) && len(bytes.TrimSpace(f.buf)) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		line := bytes.TrimRight(f.buf[start:], "\r\n")
		switch {
		case string(line) == "end":
			return bytes.TrimSpace(f.buf[:start]), nil
		case start == 0 && string(line) == "sync": // before 0.7.1, without an end
			return line, nil
		}
	}
}

// line adds a line to buf.
func (f *frames) line() error {
	for {
		part, err := f.r.ReadSlice('\n')
		f.buf = append(f.buf, part...)
		if len(f.buf) > maxMessage {
			return fmt.Errorf("a message is longer than %d bytes", maxMessage)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// framed is b as a message.
func framed(b []byte) []byte { return append(b, "\nend\n"...) }
