package output

import (
	"io"

	"github.com/apache/arrow/go/v15/arrow"
)

// Text writes a line per row: the columns with TABs between them, for two
// columns key TAB value, as Hadoop does. Bytes are written as they are: a TAB
// or newline within a key or value is the user's choice.
type Text struct {
	out  lineBuffer
	cols []appender
}

// NewText returns a text writer onto w.
func NewText(w io.Writer, compression string) (*Text, error) {
	t := new(Text)
	return t, t.out.open(w, compression)
}

// WriteKV writes key TAB value. A nil value leaves the TAB away.
func (t *Text) WriteKV(key, value []byte) error {
	t.out.buf = append(t.out.buf, key...)
	if value != nil {
		t.out.buf = append(t.out.buf, '\t')
		t.out.buf = append(t.out.buf, value...)
	}
	t.out.buf = append(t.out.buf, '\n')
	return t.out.full()
}

// WriteLines writes whole lines, each with its newline, as they are.
func (t *Text) WriteLines(p []byte) error {
	if len(p) < lineBufferSize {
		t.out.buf = append(t.out.buf, p...)
		return t.out.full()
	}
	if err := t.out.flush(); err != nil {
		return err
	}
	_, err := t.out.w.Write(p)
	return err
}

func (t *Text) Write(rec arrow.Record) error {
	t.cols = t.cols[:0]
	for _, c := range rec.Columns() {
		t.cols = append(t.cols, textOf(c))
	}
	for i := range int(rec.NumRows()) {
		for j, col := range t.cols {
			if j > 0 {
				t.out.buf = append(t.out.buf, '\t')
			}
			t.out.buf = col(t.out.buf, i)
		}
		t.out.buf = append(t.out.buf, '\n')
		if err := t.out.full(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Text) Close() error { return t.out.Close() }
