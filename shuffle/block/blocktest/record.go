// Package blocktest makes random Arrow records of every type an exchange
// carries, for the tests of the packages that move them.
package blocktest

import (
	"fmt"
	"math/rand/v2"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/decimal128"
	"github.com/apache/arrow/go/v15/arrow/decimal256"
	"github.com/apache/arrow/go/v15/arrow/float16"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"
)

// Flat lists the types without children.
func Flat() []arrow.DataType {
	return []arrow.DataType{
		arrow.Null,
		arrow.FixedWidthTypes.Boolean,
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.FixedWidthTypes.Float16, arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
		arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.LargeBinary,
		&arrow.FixedSizeBinaryType{ByteWidth: 5},
		&arrow.Decimal128Type{Precision: 30, Scale: 3}, &arrow.Decimal256Type{Precision: 60, Scale: 3},
		arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Date64,
		arrow.FixedWidthTypes.Time32s, arrow.FixedWidthTypes.Time64us,
		arrow.FixedWidthTypes.Timestamp_us, &arrow.TimestampType{Unit: arrow.Second},
		arrow.FixedWidthTypes.Duration_ms,
		arrow.FixedWidthTypes.MonthInterval, arrow.FixedWidthTypes.DayTimeInterval, arrow.FixedWidthTypes.MonthDayNanoInterval,
	}
}

// Nested lists types with children.
func Nested() []arrow.DataType {
	list := arrow.ListOf(arrow.BinaryTypes.String)
	return []arrow.DataType{
		list,
		arrow.LargeListOf(arrow.PrimitiveTypes.Int32),
		arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Int16),
		arrow.ListOf(list),
		arrow.StructOf(
			arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
			arrow.Field{Name: "y", Type: arrow.ListOf(arrow.FixedWidthTypes.Boolean), Nullable: true},
		),
		arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64),
		arrow.ListOf(arrow.StructOf(arrow.Field{Name: "z", Type: arrow.BinaryTypes.LargeString, Nullable: true})),
	}
}

// Dictionaries lists types with dictionaries.
func Dictionaries() []arrow.DataType {
	words := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	return []arrow.DataType{
		words,
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.PrimitiveTypes.Int64},
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint32, ValueType: arrow.BinaryTypes.Binary},
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int64, ValueType: &arrow.FixedSizeBinaryType{ByteWidth: 5}},
		arrow.ListOf(words),
		arrow.StructOf(
			arrow.Field{Name: "d", Type: words, Nullable: true},
			arrow.Field{Name: "e", Type: arrow.ListOf(words), Nullable: true},
		),
	}
}

// Plain lists the types without dictionaries.
func Plain() []arrow.DataType { return append(Flat(), Nested()...) }

// Types lists all of them.
func Types() []arrow.DataType { return append(Plain(), Dictionaries()...) }

// SchemaOf returns a schema with one nullable column per type.
func SchemaOf(types ...arrow.DataType) *arrow.Schema {
	fields := make([]arrow.Field, len(types))
	for i, dt := range types {
		fields[i] = arrow.Field{Name: fmt.Sprintf("c%d", i), Type: dt, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// DrawSchema draws one to six columns of any type.
func DrawSchema(t *rapid.T) *arrow.Schema { return drawSchema(t, Types()) }

// DrawPlainSchema draws one to six columns of types without dictionaries.
func DrawPlainSchema(t *rapid.T) *arrow.Schema { return drawSchema(t, Plain()) }

func drawSchema(t *rapid.T, from []arrow.DataType) *arrow.Schema {
	return SchemaOf(rapid.SliceOfN(rapid.SampledFrom(from), 1, 6).Draw(t, "types")...)
}

// DrawRecord draws a record of schema with up to rows rows, which may be a
// slice of a larger one and so have offsets.
func DrawRecord(t *rapid.T, mem memory.Allocator, schema *arrow.Schema, rows int) arrow.Record {
	n := rapid.IntRange(0, rows).Draw(t, "rows")
	skip := rapid.SampledFrom([]int{0, 0, 1, 7, 8, 13}).Draw(t, "skip")
	tail := rapid.IntRange(0, 3).Draw(t, "tail")
	nulls := rapid.SampledFrom([]float64{0, 0.2, 1}).Draw(t, "nulls")
	whole := Record(mem, schema, n+skip+tail, nulls, rapid.Uint64().Draw(t, "seed"))
	defer whole.Release()
	return whole.NewSlice(int64(skip), int64(skip+n))
}

// Record makes a record of n rows, each value null with the given probability,
// the same for the same seed.
func Record(mem memory.Allocator, schema *arrow.Schema, n int, nulls float64, seed uint64) arrow.Record {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	g := generator{rand.New(rand.NewPCG(seed, 0)), nulls}
	for _, f := range b.Fields() {
		for range n {
			g.append(f)
		}
	}
	return b.NewRecord()
}

type generator struct {
	*rand.Rand
	nulls float64
}

func (g generator) append(b array.Builder) {
	if g.Float64() < g.nulls {
		g.appendNull(b)
		return
	}
	switch b := b.(type) {
	case *array.NullBuilder:
		b.AppendNull()
	case *array.BooleanBuilder:
		b.Append(g.IntN(2) == 1)
	case *array.Int8Builder:
		b.Append(int8(g.Uint32()))
	case *array.Int16Builder:
		b.Append(int16(g.Uint32()))
	case *array.Int32Builder:
		b.Append(int32(g.Uint32()))
	case *array.Int64Builder:
		b.Append(int64(g.Uint64()))
	case *array.Uint8Builder:
		b.Append(uint8(g.Uint32()))
	case *array.Uint16Builder:
		b.Append(uint16(g.Uint32()))
	case *array.Uint32Builder:
		b.Append(g.Uint32())
	case *array.Uint64Builder:
		b.Append(g.Uint64())
	case *array.Float16Builder:
		b.Append(float16.New(g.Float32()))
	case *array.Float32Builder:
		b.Append(g.Float32())
	case *array.Float64Builder:
		b.Append(g.Float64())
	default:
		g.appendOther(b)
	}
}

func (g generator) appendOther(b array.Builder) {
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(g.word())
	case *array.BinaryBuilder:
		v := g.word()
		if b.DataLen() == 0 {
			v += "x" // arrow shows the empty values of a column without any bytes as null
		}
		b.Append([]byte(v))
	case *array.LargeStringBuilder:
		b.Append(g.word())
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte(fmt.Sprintf("%05d", g.IntN(1e5))))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(int64(g.Uint64())))
	case *array.Decimal256Builder:
		b.Append(decimal256.FromI64(int64(g.Uint64())))
	case *array.Date32Builder:
		b.Append(arrow.Date32(g.IntN(20000)))
	case *array.Date64Builder:
		b.Append(arrow.Date64(g.IntN(20000) * 86400000))
	case *array.Time32Builder:
		b.Append(arrow.Time32(g.IntN(86400)))
	case *array.Time64Builder:
		b.Append(arrow.Time64(g.IntN(86400e6)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(g.IntN(1e9)))
	case *array.DurationBuilder:
		b.Append(arrow.Duration(g.IntN(1e9)))
	case *array.MonthIntervalBuilder:
		b.Append(arrow.MonthInterval(g.IntN(100)))
	case *array.DayTimeIntervalBuilder:
		b.Append(arrow.DayTimeInterval{Days: int32(g.IntN(100)), Milliseconds: int32(g.IntN(1000))})
	case *array.MonthDayNanoIntervalBuilder:
		b.Append(arrow.MonthDayNanoInterval{Months: int32(g.IntN(12)), Nanoseconds: int64(g.IntN(1e9))})
	default:
		g.appendNested(b)
	}
}

func (g generator) appendNested(b array.Builder) {
	if d, ok := b.(array.DictionaryBuilder); ok {
		g.appendEntry(d)
		return
	}
	switch b := b.(type) {
	case *array.MapBuilder:
		b.Append(true)
		keys := generator{g.Rand, 0} // a map's keys are never null
		for range g.IntN(4) {
			keys.append(b.KeyBuilder())
			g.append(b.ItemBuilder())
		}
	case *array.ListBuilder:
		b.Append(true)
		g.fill(b.ValueBuilder(), g.IntN(4))
	case *array.LargeListBuilder:
		b.Append(true)
		g.fill(b.ValueBuilder(), g.IntN(4))
	case *array.FixedSizeListBuilder:
		b.Append(true)
		g.fill(b.ValueBuilder(), 3)
	case *array.StructBuilder:
		b.Append(true)
		for i := range b.NumField() {
			g.append(b.FieldBuilder(i))
		}
	default:
		panic(fmt.Sprintf("blocktest: no values for %T", b))
	}
}

// appendEntry appends a value to a dictionary column.
func (g generator) appendEntry(b array.DictionaryBuilder) {
	var err error
	switch b := b.(type) {
	case *array.BinaryDictionaryBuilder:
		err = b.AppendString(g.word())
	case *array.Int64DictionaryBuilder:
		err = b.Append(int64(g.IntN(50)))
	case *array.FixedSizeBinaryDictionaryBuilder:
		err = b.Append([]byte(fmt.Sprintf("%05d", g.IntN(100))))
	default:
		panic(fmt.Sprintf("blocktest: no entries for %T", b))
	}
	if err != nil {
		panic("blocktest: " + err.Error())
	}
}

// appendNull appends a null; below a null fixed-size list lie values all the same.
func (g generator) appendNull(b array.Builder) {
	if l, ok := b.(*array.FixedSizeListBuilder); ok {
		l.Append(false)
		for l.ValueBuilder().Len() < l.Len()*3 {
			g.append(l.ValueBuilder())
		}
		return
	}
	b.AppendNull()
}

func (g generator) fill(b array.Builder, n int) {
	for range n {
		g.append(b)
	}
}

// word returns up to 40 bytes, often few.
func (g generator) word() string {
	s := make([]byte, g.IntN(1+g.IntN(40)))
	for i := range s {
		s[i] = byte('a' + g.IntN(26))
	}
	return string(s)
}
