package exchange

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// The row of the sort benchmarks: a key of 10 bytes and a value of 90.
const (
	keyBytes   = 10
	valueBytes = 90
	rowBytes   = keyBytes + valueBytes
)

// schema is that of the rows: binary columns, as MapReduce has them.
var schema = arrow.NewSchema([]arrow.Field{
	{Name: "key", Type: arrow.BinaryTypes.Binary},
	{Name: "value", Type: arrow.BinaryTypes.Binary},
}, nil)

// input makes batches of n rows in all. The bytes of keys are random; those of
// values repeat as text does, so that codecs have something to find.
func input(n, perBatch int, seed uint64) []arrow.Record {
	g := rand.New(rand.NewPCG(seed, 1))
	var out []arrow.Record
	for n > 0 {
		rows := min(n, perBatch)
		out = append(out, batch(g, rows))
		n -= rows
	}
	return out
}

func batch(g *rand.Rand, rows int) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	keys, values := b.Field(0).(*array.BinaryBuilder), b.Field(1).(*array.BinaryBuilder)
	keys.ReserveData(rows * keyBytes)
	values.ReserveData(rows * valueBytes)
	var row [rowBytes + 8]byte
	for range rows {
		for i := 0; i < rowBytes; i += 8 {
			v := g.Uint64()
			if i >= 2*keyBytes {
				v = v&0x0303030303030303 | 0x6161616161616161
			}
			binary.LittleEndian.PutUint64(row[i:], v)
		}
		keys.Append(row[:keyBytes])
		values.Append(row[keyBytes:rowBytes])
	}
	return b.NewRecord()
}
