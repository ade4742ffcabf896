package script

import (
	"bytes"
	"errors"
	"io"

	"github.com/capstan-run/capstan/core"
)

// ReadLines reads r to its end and calls f with runs of whole lines, each with
// its newline; one is added to a last line without. The bytes are valid during
// the call. f's error ends reading. A line longer than most bytes is an error.
func ReadLines(r io.Reader, most int, f func(lines []byte) error) error {
	buf := make([]byte, pipeSize/4+1)
	have := 0
	for {
		if have >= len(buf)-1 {
			if have > most {
				return core.Errorf(core.Failed, "a line of output is longer than %s", core.Bytes(most)).
					Do("raise input.maxRecord, or write shorter lines")
			}
			buf = append(buf, make([]byte, len(buf))...)
		}
		n, err := r.Read(buf[have : len(buf)-1]) // one byte is left for a last newline
		fresh := have
		have += n
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return err
			}
			if have > 0 {
				if buf[have-1] != '\n' {
					buf[have] = '\n'
					have++
				}
				return f(buf[:have])
			}
			return nil
		}
		end := bytes.LastIndexByte(buf[fresh:have], '\n')
		if end < 0 {
			continue
		}
		end += fresh + 1
		if err := f(buf[:end]); err != nil {
			return err
		}
		have = copy(buf, buf[end:have])
	}
}
