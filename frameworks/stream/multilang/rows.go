package multilang

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/stream/operator"
	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// rows makes a batch of what a process emitted.
func rows(schema *arrow.Schema, fields []topology.Field, tuples [][]json.RawMessage) (arrow.Record, error) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, tuple := range tuples {
		if len(tuple) != len(fields) {
			return nil, fmt.Errorf("%w: it emitted %d values on a stream of %d fields", errProtocol, len(tuple), len(fields))
		}
		for i, v := range tuple {
			if err := appendField(b.Field(i), fields[i], v); err != nil {
				return nil, err
			}
		}
	}
	rec := b.NewRecord()
	if len(fields) > 0 {
		return rec, nil
	}
	rec.Release()
	return array.NewRecord(schema, nil, int64(len(tuples))), nil
}

// appendField adds a value to the column of a field.
func appendField(b array.Builder, f topology.Field, v json.RawMessage) error {
	v = bytes.TrimSpace(v)
	if string(v) == "null" && f.Type != topology.JSON {
		b.AppendNull()
		return nil
	}
	var err error
	switch b := b.(type) {
	case *array.StringBuilder:
		s := ""
		if f.Type == topology.JSON {
			s = canonical(v)
		} else {
			err = json.Unmarshal(v, &s)
		}
		b.Append(s)
	case *array.Int64Builder:
		var n int64
		n, err = strconv.ParseInt(string(v), 10, 64)
		b.Append(n)
	case *array.Float64Builder:
		var n float64
		err = json.Unmarshal(v, &n)
		b.Append(n)
	case *array.BooleanBuilder:
		b.Append(string(v) == "true")
		if s := string(v); s != "true" && s != "false" {
			err = strconv.ErrSyntax
		}
	case *array.BinaryBuilder:
		var raw []byte // base64, as encoding/json has it
		err = json.Unmarshal(v, &raw)
		b.Append(raw)
	case *array.TimestampBuilder:
		var n int64
		n, err = strconv.ParseInt(string(v), 10, 64)
		b.Append(arrow.Timestamp(n))
	}
	if err != nil {
		return fmt.Errorf("%w: it emitted %.60s for field %q, which is of type %s", errProtocol, v, f.Name, f.Type)
	}
	return nil
}

// tuples writes the rows of an input as messages to a process.
type tuples struct {
	mid [][]byte // by input: what is between id and values
	raw [][]bool // by input and field: the value is JSON already
}

func newTuples(m operator.Make) tuples {
	first := map[string]int{}
	for _, t := range m.Topology.Tasks() {
		if _, ok := first[t.Component.ID]; !ok {
			first[t.Component.ID] = t.ID
		}
	}
	var t tuples
	for _, in := range m.In {
		comp, _ := json.Marshal(in.From) // text always can be
		stream, _ := json.Marshal(in.Stream)
		t.mid = append(t.mid, fmt.Appendf(nil, `","comp":%s,"stream":%s,"task":%d,"tuple":[`, comp, stream, first[in.From]))
		var raw []bool
		for _, f := range in.Fields {
			raw = append(raw, f.Type == topology.JSON)
		}
		t.raw = append(t.raw, raw)
	}
	return t
}

// after is the message of row i after its id.
func (t *tuples) after(in int, rec arrow.Record, i int) []byte {
	b := append(make([]byte, 0, len(t.mid[in])+64), t.mid[in]...)
	for k, raw := range t.raw[in] {
		if k > 0 {
			b = append(b, ',')
		}
		b = operator.AppendValue(b, rec.Column(k), i, raw)
	}
	return framed(append(b, "]}"...))
}
