package vertex

import (
	"encoding/json"
	"reflect"
	"runtime/debug"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// rowsOfResult is how many vertices are written at a time.
const rowsOfResult = 1 << 15

// column is how values of a type become a column of the result.
type column[V any] struct {
	of     arrow.DataType
	append func(b array.Builder, v *V) error
}

// columnOf looks at V once.
func columnOf[V any](format func(V) string) column[V] {
	if format != nil {
		return column[V]{arrow.BinaryTypes.String, func(b array.Builder, v *V) error {
			b.(*array.StringBuilder).Append(format(*v))
			return nil
		}}
	}
	switch reflect.TypeFor[V]().Kind() {
	case reflect.Float64:
		return column[V]{arrow.PrimitiveTypes.Float64, func(b array.Builder, v *V) error {
			b.(*array.Float64Builder).Append(*(*float64)(unsafe.Pointer(v)))
			return nil
		}}
	case reflect.Float32:
		return column[V]{arrow.PrimitiveTypes.Float32, func(b array.Builder, v *V) error {
			b.(*array.Float32Builder).Append(*(*float32)(unsafe.Pointer(v)))
			return nil
		}}
	case reflect.Bool:
		return column[V]{arrow.FixedWidthTypes.Boolean, func(b array.Builder, v *V) error {
			b.(*array.BooleanBuilder).Append(*(*bool)(unsafe.Pointer(v)))
			return nil
		}}
	case reflect.String:
		return column[V]{arrow.BinaryTypes.String, func(b array.Builder, v *V) error {
			b.(*array.StringBuilder).Append(*(*string)(unsafe.Pointer(v)))
			return nil
		}}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return column[V]{arrow.PrimitiveTypes.Int64, func(b array.Builder, v *V) error {
			b.(*array.Int64Builder).Append(reflect.ValueOf(v).Elem().Int())
			return nil
		}}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return column[V]{arrow.PrimitiveTypes.Uint64, func(b array.Builder, v *V) error {
			b.(*array.Uint64Builder).Append(reflect.ValueOf(v).Elem().Uint())
			return nil
		}}
	}
	return column[V]{arrow.BinaryTypes.String, func(b array.Builder, v *V) error {
		text, err := json.Marshal(v)
		b.(*array.StringBuilder).Append(string(text))
		return err
	}}
}

// finish writes the result where the program ended well: a row for each vertex,
// with its ID and its value.
func (e *engine[V, E, M]) finish(err error) error {
	if err != nil {
		return err
	}
	col := columnOf(e.cfg.Format)
	ids := arrow.DataType(arrow.PrimitiveTypes.Int64)
	if e.names.textual() {
		ids = arrow.BinaryTypes.String
	}
	rows := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "id", Type: ids}, {Name: "value", Type: col.of}}, nil))
	defer rows.Release()
	n := 0
	for at := range uint32(len(e.values)) {
		if e.removed.has(at) {
			continue
		}
		switch b := rows.Field(0).(type) {
		case *array.Int64Builder:
			b.Append(e.names.integer(at))
		case *array.StringBuilder:
			b.Append(e.names.text(at))
		}
		if err := col.append(rows.Field(1), &e.values[at]); err != nil {
			return err
		}
		if n++; n == rowsOfResult {
			if err := e.writeRows(rows); err != nil {
				return err
			}
			n = 0
		}
	}
	if n == 0 {
		return nil
	}
	return e.writeRows(rows)
}

func (e *engine[V, E, M]) writeRows(rows *array.RecordBuilder) error {
	rec := rows.NewRecord()
	defer rec.Release()
	return e.p.WriteRecord(rec)
}

// stack is where a panic came from.
func stack() string { return string(debug.Stack()) }
