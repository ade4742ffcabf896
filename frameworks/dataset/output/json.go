package output

import (
	"io"

	"github.com/apache/arrow/go/v15/arrow"
)

// jsonLines writes an object per row.
type jsonLines struct {
	out   lineBuffer
	names [][]byte // `{"key":`, `,"value":`
}

func newJSON(w io.Writer, o Options) (*jsonLines, error) {
	if err := needSchema(o); err != nil {
		return nil, err
	}
	j := &jsonLines{names: jsonNames(o.Schema.Fields())}
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
