package operator

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// jsonLines writes tuples as JSON lines: an object of its fields for each.
type jsonLines struct {
	inputs [][]jsonField
}

// jsonField is a field with what comes before its value.
type jsonField struct {
	head string // `{"word":`, `,"count":`
	raw  bool   // the value is JSON itself
}

func newJSONLines(in []topology.Input) jsonLines {
	var l jsonLines
	for _, i := range in {
		var fields []jsonField
		for n, f := range i.Fields {
			name, _ := json.Marshal(f.Name) // a string always can be
			head := "{" + string(name) + ":"
			if n > 0 {
				head = "," + head[1:]
			}
			fields = append(fields, jsonField{head: head, raw: f.Type == topology.JSON})
		}
		l.inputs = append(l.inputs, fields)
	}
	return l
}

// append adds the tuples of an input to b.
func (l jsonLines) append(b []byte, in int, rec arrow.Record) []byte {
	fields := l.inputs[in]
	for i := range int(rec.NumRows()) {
		if len(fields) == 0 {
			b = append(b, '{')
		}
		for k, f := range fields {
			b = append(b, f.head...)
			b = AppendValue(b, rec.Column(k), i, f.raw)
		}
		b = append(b, "}\n"...)
	}
	return b
}

// AppendValue adds row i of a column to b, as JSON; raw is JSON already. A number
// that JSON has no form for is null.
func AppendValue(b []byte, column arrow.Array, i int, raw bool) []byte {
	if column.IsNull(i) {
		return append(b, "null"...)
	}
	switch a := column.(type) {
	case *array.String:
		if raw {
			return append(b, a.Value(i)...)
		}
		return appendString(b, a.Value(i))
	case *array.Int64:
		return strconv.AppendInt(b, a.Value(i), 10)
	case *array.Float64:
		if v := a.Value(i); !math.IsNaN(v) && !math.IsInf(v, 0) {
			return strconv.AppendFloat(b, v, 'g', -1, 64)
		}
	case *array.Boolean:
		return strconv.AppendBool(b, a.Value(i))
	case *array.Binary:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, a.Value(i))
		return append(b, '"')
	case *array.Timestamp:
		b = append(b, '"')
		b = a.Value(i).ToTime(arrow.Millisecond).AppendFormat(b, time.RFC3339Nano)
		return append(b, '"')
	}
	return append(b, "null"...)
}

// appendString adds text as JSON; plain text as it is.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			quoted, _ := json.Marshal(s) // a string always can be
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
