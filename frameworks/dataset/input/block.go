package input

import (
	"bytes"
	"iter"
	"unicode/utf8"
)

// Block is a run of whole records of a line format.
type Block struct {
	// Data holds whole lines and ends with a newline (law I4). It is valid until
	// the reader's next call.
	Data   []byte
	File   string // URL
	Offset int64  // of Data[0] in the (decompressed) file
}

// Lines yields each line with its offset in the file, without its line end:
// "\n" or "\r\n".
func (b Block) Lines() iter.Seq2[int64, []byte] {
	return func(yield func(int64, []byte) bool) {
		for rest, off := b.Data, b.Offset; len(rest) > 0; {
			n := bytes.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest) - 1 // unreachable by law I4; lines stay whole all the same
			}
			if !yield(off, trimCR(rest[:n])) {
				return
			}
			off += int64(n) + 1
			rest = rest[n+1:]
		}
	}
}

// byteOrderMark is what some programs put before UTF-8. It is no text.
var byteOrderMark = []byte("\ufeff")

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// invalidAt is the index of the first byte of p that is not UTF-8, or -1.
func invalidAt(p []byte) int {
	for i := 0; i < len(p); {
		if p[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
