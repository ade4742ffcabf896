package input

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/core"
)

// csvParser reads RFC 4180 with one record per line. Blank lines hold none. A
// field is text; an empty one is the empty string.
type csvParser struct {
	o      Options
	cols   []Column
	fields [][]byte
}

func (c *csvParser) parse(b *array.RecordBuilder, file string, off int64, line []byte) (bool, error) {
	header := off == 0 && !c.o.NoHeader
	if len(line) == 0 && !header {
		return false, nil
	}
	var err error
	c.fields, err = splitFields(c.fields[:0], line, c.o.Delimiter)
	if err != nil {
		return false, err
	}
	if header {
		return false, c.header(file)
	}
	if len(c.fields) != len(c.cols) {
		return false, fmt.Errorf("it has %d fields, not %d", len(c.fields), len(c.cols))
	}
	for i, f := range c.fields {
		b.Field(i).(*array.StringBuilder).BinaryBuilder.Append(f)
	}
	return true, nil
}

// header checks a file's header against the job's columns: reading on under
// other names would mix up columns.
func (c *csvParser) header(file string) error {
	same := slices.EqualFunc(c.fields, c.cols, func(f []byte, col Column) bool { return string(f) == col.Name })
	if same {
		return nil
	}
	return core.Errorf(core.Failed, "the header is %q, not %q as in the first file", c.fields, names(c.cols)).At(file).
		Do("read files with other columns in a job of their own, or set spec.input.header: false")
}

// guardHeader makes a header that is a bad record end the job, whatever bad
// tolerates: the file's rows would go unnamed, or be named by its first row.
func guardHeader(bad func(Bad) error) func(Bad) error {
	return func(b Bad) error {
		if b.Offset == 0 && b.Length >= 0 {
			return badHeader(b.File, b.Reason)
		}
		return bad(b)
	}
}

func badHeader(file, reason string) error {
	return core.Errorf(core.Failed, "the header cannot be read: %s", reason).At(file).
		Do("repair the first line, or set spec.input.header: false if it is a record")
}

func names(cols []Column) []string {
	n := make([]string, len(cols))
	for i, c := range cols {
		n[i] = c.Name
	}
	return n
}

var (
	errQuoteOpen = errors.New("a quote is not closed in its line; fields that hold newlines cannot be read")
	errQuoteText = errors.New("text follows a closing quote, or a quote stands in a field that does not begin with one")
)

// splitFields appends line's fields to fields. Unquoted fields, and quoted ones
// without a doubled quote, point into line.
func splitFields(fields [][]byte, line []byte, delimiter rune) ([][]byte, error) {
	var d [utf8.UTFMax]byte
	sep := d[:utf8.EncodeRune(d[:], delimiter)]
	quoted := bytes.IndexByte(line, '"') >= 0
	for {
		if quoted && len(line) > 0 && line[0] == '"' {
			field, rest, err := quotedField(line[1:])
			if err != nil {
				return fields, err
			}
			fields = append(fields, field)
			if len(rest) == 0 {
				return fields, nil
			}
			if !bytes.HasPrefix(rest, sep) {
				return fields, errQuoteText
			}
			line = rest[len(sep):]
			continue
		}
		n := bytes.Index(line, sep)
		field := line
		if n >= 0 {
			field = line[:n]
		}
		if quoted && bytes.IndexByte(field, '"') >= 0 {
			return fields, errQuoteText
		}
		fields = append(fields, field)
		if n < 0 {
			return fields, nil
		}
		line = line[n+len(sep):]
	}
}

// quotedField reads a field from behind its opening quote to behind its closing
// one.
func quotedField(p []byte) (field, rest []byte, err error) {
	for {
		n := bytes.IndexByte(p, '"')
		if n < 0 {
			return nil, nil, errQuoteOpen
		}
		if n+1 == len(p) || p[n+1] != '"' {
			if field == nil {
				return p[:n], p[n+1:], nil
			}
			return append(field, p[:n]...), p[n+1:], nil
		}
		field = append(field, p[:n+1]...)
		p = p[n+2:]
	}
}
