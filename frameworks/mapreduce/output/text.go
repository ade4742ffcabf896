package output

import (
	"bytes"
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

// jsonLines writes an object per row.
type jsonLines struct {
	out   lineBuffer
	names [][]byte // `{"key":`, `,"value":`
}

func newJSON(w io.Writer, o Options) (*jsonLines, error) {
	if err := needSchema(o); err != nil {
		return nil, err
	}
	j := new(jsonLines)
	for i, f := range o.Schema.Fields() {
		name := []byte{','}
		if i == 0 {
			name[0] = '{'
		}
		j.names = append(j.names, append(appendJSON(name, f.Name), ':'))
	}
	return j, j.out.open(w, o.Compression)
}

func (j *jsonLines) Write(rec arrow.Record) error {
	cols := make([]appender, rec.NumCols())
	for i := range cols {
		cols[i] = jsonOf(rec.Column(i))
	}
	for row := range int(rec.NumRows()) {
		for i, col := range cols {
			j.out.buf = append(j.out.buf, j.names[i]...)
			j.out.buf = col(j.out.buf, row)
		}
		if len(cols) == 0 {
			j.out.buf = append(j.out.buf, '{')
		}
		j.out.buf = append(j.out.buf, '}', '\n')
		if err := j.out.full(); err != nil {
			return err
		}
	}
	return nil
}

func (j *jsonLines) Close() error { return j.out.Close() }

// csvRows writes RFC 4180 with a header and "\n" line ends.
type csvRows struct{ out lineBuffer }

func newCSV(w io.Writer, o Options) (*csvRows, error) {
	if err := needSchema(o); err != nil {
		return nil, err
	}
	c := new(csvRows)
	if err := c.out.open(w, o.Compression); err != nil {
		return nil, err
	}
	for i, f := range o.Schema.Fields() {
		c.next(i)
		c.out.buf = quote(append(c.out.buf, f.Name...), len(c.out.buf))
	}
	c.out.buf = append(c.out.buf, '\n')
	return c, nil
}

func (c *csvRows) next(col int) {
	if col > 0 {
		c.out.buf = append(c.out.buf, ',')
	}
}

func (c *csvRows) Write(rec arrow.Record) error {
	cols := make([]appender, rec.NumCols())
	for i := range cols {
		cols[i] = textOf(rec.Column(i))
	}
	for row := range int(rec.NumRows()) {
		for i, col := range cols {
			c.next(i)
			at := len(c.out.buf)
			c.out.buf = quote(col(c.out.buf, row), at)
			// A line of one empty field would read as an empty line; so would a
			// null, and an empty string is the nearer of the two.
			if len(cols) == 1 && len(c.out.buf) == at {
				c.out.buf = append(c.out.buf, '"', '"')
			}
		}
		c.out.buf = append(c.out.buf, '\n')
		if err := c.out.full(); err != nil {
			return err
		}
	}
	return nil
}

func (c *csvRows) Close() error { return c.out.Close() }

// quote quotes the field at the end of buf, from at on, if it must be.
func quote(buf []byte, at int) []byte {
	field := buf[at:]
	if bytes.IndexAny(field, ",\"\r\n") < 0 && (len(field) == 0 || field[0] != ' ') {
		return buf
	}
	raw := bytes.Clone(field)
	buf = append(buf[:at], '"')
	for _, b := range raw {
		if b == '"' {
			buf = append(buf, '"')
		}
		buf = append(buf, b)
	}
	return append(buf, '"')
}
