package output

import (
	"bytes"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
)

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
