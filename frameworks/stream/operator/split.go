package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/stream/topology"
)

// split emits the words of a text, in their order.
type split struct {
	columns []int  // of the text, by input
	isJSON  []bool // the text is a JSON string
	schema  *arrow.Schema
}

func newSplit(m Make) (Operator, error) {
	with, err := decode[SplitWith](m)
	if err != nil {
		return nil, err
	}
	s := &split{schema: topology.Schema(m.Task.Component.Outputs[0].Fields)}
	for _, in := range m.In {
		f, err := pick(in, with.Field)
		if err != nil {
			return nil, err
		}
		s.columns = append(s.columns, topology.Index(in.Fields, f.Name))
		s.isJSON = append(s.isJSON, f.Type == topology.JSON)
	}
	return s, nil
}

func (s *split) Process(_ context.Context, in int, rec arrow.Record, out Emitter) error {
	texts := rec.Column(s.columns[in]).(*array.String)
	b := array.NewStringBuilder(memory.DefaultAllocator)
	n := int64(0)
	for i := range texts.Len() {
		if texts.IsNull(i) {
			continue
		}
		text := texts.Value(i)
		if s.isJSON[in] {
			var plain string
			if err := json.Unmarshal([]byte(text), &plain); err != nil {
				return fmt.Errorf("split %.60s: it is no text", text)
			}
			text = plain
		}
		n += appendWords(b, text)
	}
	if n == 0 {
		return nil
	}
	return out.Emit(0, array.NewRecord(s.schema, []arrow.Array{b.NewArray()}, n))
}

// appendWords appends what lies between white space, as strings.Fields cuts it.
func appendWords(b *array.StringBuilder, text string) (n int64) {
	start := -1
	for i, r := range text {
		switch space := unicode.IsSpace(r); {
		case space && start >= 0:
			b.Append(text[start:i])
			n++
			start = -1
		case !space && start < 0:
			start = i
		}
	}
	if start >= 0 {
		b.Append(text[start:])
		n++
	}
	return n
}
