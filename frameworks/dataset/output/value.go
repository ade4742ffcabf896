package output

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// appender appends row i of a column to dst.
type appender func(dst []byte, i int) []byte

// textOf writes a column as text: bytes as they are, numbers in their shortest
// exact form, lists and structs as JSON, anything else as Arrow does. A null is
// empty.
func textOf(col arrow.Array) appender {
	value := numberOf(col)
	switch col := col.(type) {
	case *array.String:
		value = func(dst []byte, i int) []byte { return append(dst, col.Value(i)...) }
	case *array.LargeString:
		value = func(dst []byte, i int) []byte { return append(dst, col.Value(i)...) }
	case *array.Binary:
		value = func(dst []byte, i int) []byte { return append(dst, col.Value(i)...) }
	case *array.LargeBinary:
		value = func(dst []byte, i int) []byte { return append(dst, col.Value(i)...) }
	case array.ListLike, *array.Struct:
		value = jsonOf(col)
	case *array.Null:
		return func(dst []byte, _ int) []byte { return dst }
	}
	if value == nil {
		value = func(dst []byte, i int) []byte { return append(dst, col.ValueStr(i)...) }
	}
	if col.NullN() == 0 {
		return value
	}
	return func(dst []byte, i int) []byte {
		if col.IsNull(i) {
			return dst
		}
		return value(dst, i)
	}
}

// numberOf writes the common numbers and booleans, nil for other types.
func numberOf(col arrow.Array) appender {
	switch col := col.(type) {
	case *array.Int64:
		return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, col.Value(i), 10) }
	case *array.Int32:
		return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(col.Value(i)), 10) }
	case *array.Uint64:
		return func(dst []byte, i int) []byte { return strconv.AppendUint(dst, col.Value(i), 10) }
	case *array.Float64:
		return func(dst []byte, i int) []byte { return strconv.AppendFloat(dst, col.Value(i), 'g', -1, 64) }
	case *array.Boolean:
		return func(dst []byte, i int) []byte { return strconv.AppendBool(dst, col.Value(i)) }
	}
	return nil
}

// jsonOf writes a column as JSON. Bytes that are not text become base64, NaN
// and infinities null, since JSON has none.
func jsonOf(col arrow.Array) appender {
	var value appender
	switch c := col.(type) {
	case *array.Float64:
		number := numberOf(col)
		value = func(dst []byte, i int) []byte {
			if v := c.Value(i); math.IsNaN(v) || math.IsInf(v, 0) {
				return append(dst, "null"...)
			}
			return number(dst, i)
		}
	case *array.Float32:
		value = func(dst []byte, i int) []byte {
			v := float64(c.Value(i))
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return append(dst, "null"...)
			}
			return strconv.AppendFloat(dst, v, 'g', -1, 32)
		}
	case array.ListLike:
		value = jsonList(c)
	case *array.Struct:
		value = jsonStruct(c)
	case *array.String:
		value = func(dst []byte, i int) []byte { return appendJSON(dst, c.Value(i)) }
	case *array.LargeString:
		value = func(dst []byte, i int) []byte { return appendJSON(dst, c.Value(i)) }
	case *array.Binary:
		value = func(dst []byte, i int) []byte { return appendJSONBytes(dst, c.Value(i)) }
	case *array.LargeBinary:
		value = func(dst []byte, i int) []byte { return appendJSONBytes(dst, c.Value(i)) }
	case *array.Int64, *array.Int32, *array.Uint64, *array.Boolean:
		value = numberOf(col)
	default:
		value = func(dst []byte, i int) []byte {
			b, err := json.Marshal(col.GetOneForMarshal(i))
			if err != nil {
				return appendJSON(dst, col.ValueStr(i))
			}
			return append(dst, b...)
		}
	}
	return func(dst []byte, i int) []byte {
		if col.IsNull(i) {
			return append(dst, "null"...)
		}
		return value(dst, i)
	}
}

// jsonList writes lists, and maps as lists of key and value. Arrow's own way
// panics over a NaN within.
func jsonList(col array.ListLike) appender {
	item := jsonOf(col.ListValues())
	return func(dst []byte, i int) []byte {
		from, to := col.ValueOffsets(i)
		dst = append(dst, '[')
		for at := from; at < to; at++ {
			if at > from {
				dst = append(dst, ',')
			}
			dst = item(dst, int(at))
		}
		return append(dst, ']')
	}
}

func jsonStruct(col *array.Struct) appender {
	fields := make([]appender, col.NumField())
	for i := range fields {
		fields[i] = jsonOf(col.Field(i))
	}
	names := jsonNames(col.DataType().(*arrow.StructType).Fields())
	return func(dst []byte, i int) []byte {
		if len(fields) == 0 {
			dst = append(dst, '{')
		}
		for f, field := range fields {
			dst = field(append(dst, names[f]...), i)
		}
		return append(dst, '}')
	}
}

// jsonNames is what stands before each field's value: `{"a":`, `,"b":`.
func jsonNames(fields []arrow.Field) [][]byte {
	names := make([][]byte, len(fields))
	for i, f := range fields {
		name := []byte{','}
		if i == 0 {
			name[0] = '{'
		}
		names[i] = append(appendJSON(name, f.Name), ':')
	}
	return names
}

// appendJSON appends s as a JSON string.
func appendJSON(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, _ := json.Marshal(s) // a string always encodes
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func appendJSONBytes(dst, p []byte) []byte {
	if utf8.Valid(p) {
		return appendJSON(dst, string(p))
	}
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, p)
	return append(dst, '"')
}
