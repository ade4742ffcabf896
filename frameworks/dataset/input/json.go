package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/array"
)

// jsonParser reads JSON lines: one object per line. Blank lines hold none. A
// field that is missing or null is null; one that does not fit its column, or
// has none, makes the record bad.
type jsonParser struct {
	cols  []Column
	at    map[string]int
	cells []cell
}

// cell is a parsed value, kept until the whole record has proved good.
type cell struct {
	set  bool
	num  int64
	real float64
	text string
}

func newJSONParser(cols []Column) *jsonParser {
	p := &jsonParser{cols: cols, at: make(map[string]int, len(cols)), cells: make([]cell, len(cols))}
	for i, c := range cols {
		p.at[c.Name] = i
	}
	return p
}

func (p *jsonParser) parse(b *array.RecordBuilder, _ string, _ int64, line []byte) (bool, error) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return false, nil
	}
	clear(p.cells)
	err := eachField(line, func(name string, value json.RawMessage) error {
		i, ok := p.at[name]
		if !ok {
			return fmt.Errorf("field %q is none of the columns found in the first records", name)
		}
		return p.cell(i, value)
	})
	if err != nil {
		return false, err
	}
	for i := range p.cols {
		p.append(b.Field(i), &p.cells[i])
	}
	return true, nil
}

// cell parses value as column i.
func (p *jsonParser) cell(i int, value json.RawMessage) error {
	c, col := &p.cells[i], p.cols[i]
	*c = cell{set: value[0] != 'n'}
	if !c.set {
		return nil
	}
	var err error
	switch col.Type {
	case "utf8":
		c.text = textValue(value)
	case "int64":
		c.num, err = strconv.ParseInt(string(value), 10, 64)
	case "float64":
		c.real, err = strconv.ParseFloat(string(value), 64)
	case "bool":
		if value[0] != 't' && value[0] != 'f' {
			err = errors.New("no boolean")
		} else if value[0] == 't' {
			c.num = 1
		}
	}
	if err != nil {
		return fmt.Errorf("field %q is %s, its column %s", col.Name, clip(value), col.Type)
	}
	return nil
}

func (p *jsonParser) append(b array.Builder, c *cell) {
	if !c.set {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(c.text)
	case *array.Int64Builder:
		b.Append(c.num)
	case *array.Float64Builder:
		b.Append(c.real)
	case *array.BooleanBuilder:
		b.Append(c.num == 1)
	}
}

// textValue is a string's content, or the JSON text of another value.
func textValue(v json.RawMessage) string {
	if v[0] != '"' {
		return string(v)
	}
	return unquote(v)
}

// unquote is the content of a valid JSON string.
func unquote(v []byte) string {
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1])
	}
	var s string
	_ = json.Unmarshal(v, &s) // it is valid
	return s
}

func clip(v []byte) string {
	if len(v) > 40 {
		return strings.ToValidUTF8(string(v[:40]), "") + "…"
	}
	return string(v)
}

var errNoObject = errors.New("it is not a JSON object")

// eachField calls each with the fields of the object that line must be, in
// order. value is valid until line changes.
func eachField(line []byte, each func(name string, value json.RawMessage) error) error {
	line = bytes.TrimSpace(line)
	if !json.Valid(line) {
		var v json.RawMessage
		if err := json.Unmarshal(line, &v); err != nil {
			return fmt.Errorf("it is not JSON: %w", err)
		}
		return errNoObject
	}
	if line[0] != '{' {
		return errNoObject
	}
	// From here on line is known to be well formed: bounds need no checks.
	for p := space(line[1:]); p[0] != '}'; {
		n := valueLen(p)
		name := unquote(p[:n])
		p = space(space(p[n:])[1:]) // the colon
		n = valueLen(p)
		if err := each(name, p[:n:n]); err != nil {
			return err
		}
		if p = space(p[n:]); p[0] == ',' {
			p = space(p[1:])
		}
	}
	return nil
}

func space(p []byte) []byte { return bytes.TrimLeft(p, " \t\r\n") }

// valueLen is the length of the JSON value at the front of p, which is valid.
func valueLen(p []byte) int {
	depth := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '"':
			for i++; p[i] != '"'; i++ {
				if p[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(p)
}
