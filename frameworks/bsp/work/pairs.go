package work

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// pairs gathers rows of two texts into records of a schema's types.
type pairs struct {
	b *array.RecordBuilder
	n int
}

// pairsAtOnce is how many rows make a record.
const pairsAtOnce = 8192

func newPairs(schema *arrow.Schema) *pairs {
	return &pairs{b: array.NewRecordBuilder(memory.DefaultAllocator, schema)}
}

func (p *pairs) add(w output.Writer, key, value []byte) error {
	for i, text := range [][]byte{key, value} {
		if err := appendText(p.b.Field(i), text); err != nil {
			return core.Errorf(core.Failed, "column %s: %v", p.b.Schema().Field(i).Name, err).At("spec.algorithm").
				Do("let the program say what its columns hold, or set spec.output.format: text")
		}
	}
	if p.n++; p.n == pairsAtOnce {
		return p.flush(w)
	}
	return nil
}

// appendText appends what text says.
func appendText(b array.Builder, text []byte) error {
	switch b := b.(type) {
	case *array.Int64Builder:
		v, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		b.Append(v)
	case *array.Float64Builder:
		v, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return fmt.Errorf("%q is no number", text)
		}
		b.Append(v)
	case *array.StringBuilder:
		b.Append(string(text))
	default:
		return fmt.Errorf("%s is neither int64, float64 nor text", b.Type())
	}
	return nil
}

func (p *pairs) flush(w output.Writer) error {
	if p.n == 0 {
		return nil
	}
	p.n = 0
	rec := p.b.NewRecord()
	defer rec.Release()
	return w.Write(rec)
}
