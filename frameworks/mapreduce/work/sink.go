package work

import (
	"bytes"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/frameworks/dataset/output"
	"github.com/capstan-run/capstan/frameworks/mapreduce/spec"
)

// Sink takes the pairs of the last step and writes them as rows.
type Sink struct {
	w       output.Writer
	text    pairWriter // w, if it is one: rows go as bytes, without Arrow
	kinds   Kinds
	rows    int64
	preview *preview
	out     *rows
	key     []byte // scratch
	value   []byte
}

// pairWriter writes a row of bytes.
type pairWriter interface{ WriteKV(key, value []byte) error }

func newSink(w io.Writer, kinds Kinds, body *spec.Body) (*Sink, error) {
	s := &Sink{kinds: kinds}
	var err error
	s.w, err = output.New(w, output.Options{
		Format: body.Output.Format, Compression: body.Output.Compression, Schema: kinds.Schema(),
	})
	if err != nil {
		return nil, err
	}
	if s.text, _ = s.w.(pairWriter); s.text == nil {
		s.out = newRows(kinds)
	}
	if body.Preview != nil {
		s.preview = newPreview(body.Preview, kinds)
	}
	return s, nil
}

// Schema is that of the output's rows: key and value, or key alone.
func (k Kinds) Schema() *arrow.Schema {
	columns := []arrow.Field{{Name: "key", Type: k.Key.Arrow()}}
	if t := k.Value.Arrow(); t != nil {
		columns = append(columns, arrow.Field{Name: "value", Type: t})
	}
	return arrow.NewSchema(columns, nil)
}

// Emit writes a row with a value of bytes.
func (s *Sink) Emit(key, value []byte) error {
	switch k := s.kinds.Value; {
	case k.whole():
		v, err := parseWhole(key, value)
		if err != nil {
			return err
		}
		return s.EmitInt(key, v)
	case k == Float64:
		v, err := parseFloat(key, value)
		if err != nil {
			return err
		}
		return s.EmitFloat(key, v)
	}
	s.rows++
	if s.preview != nil {
		s.preview.bytes(key, value)
	}
	if s.text != nil {
		return s.line(key, value)
	}
	s.out.values.add(value)
	return s.add(key)
}

// EmitInt writes a row with a whole value.
func (s *Sink) EmitInt(key []byte, v int64) error {
	switch k := s.kinds.Value; {
	case k == Float64:
		return s.EmitFloat(key, float64(v))
	case !k.whole():
		var buf [24]byte
		return s.Emit(key, appendWholeText(buf[:0], v, Int64))
	}
	s.rows++
	if s.preview != nil {
		s.preview.number(key, float64(v), v)
	}
	if s.text != nil {
		s.value = appendWholeText(s.value[:0], v, s.kinds.Value)
		return s.line(key, s.value)
	}
	s.out.ints = append(s.out.ints, v)
	return s.add(key)
}

// EmitFloat writes a row with a floating-point value.
func (s *Sink) EmitFloat(key []byte, v float64) error {
	if s.kinds.Value != Float64 {
		s.value = appendFloatText(s.value[:0], v)
		return s.Emit(key, s.value)
	}
	s.rows++
	if s.preview != nil {
		s.preview.float(key, v)
	}
	if s.text != nil {
		s.value = appendFloatText(s.value[:0], v)
		return s.line(key, s.value)
	}
	s.out.floats = append(s.out.floats, v)
	return s.add(key)
}

// pair writes the current pair of c as it is.
func (s *Sink) pair(c *cursor) error {
	switch k := c.kind; {
	case k.whole():
		return s.EmitInt(c.key, c.Int())
	case k == Float64:
		return s.EmitFloat(c.key, c.Float())
	case k == None:
		return s.Emit(c.key, nil)
	}
	return s.Emit(c.key, c.Bytes())
}

func (s *Sink) line(key, value []byte) error {
	if s.kinds.Value == None {
		value = nil // no value, no TAB
	}
	if !s.kinds.Key.bytes() {
		s.key = appendKeyText(s.key[:0], key, s.kinds.Key)
		key = s.key
	}
	return s.text.WriteKV(key, value)
}

func (s *Sink) add(key []byte) error {
	s.out.key(key)
	if s.out.full() {
		return s.flush()
	}
	return nil
}

func (s *Sink) flush() error {
	if s.out == nil || s.out.n == 0 {
		return nil
	}
	rec := s.out.record()
	defer rec.Release()
	defer s.out.reset()
	return s.w.Write(rec)
}

// EmitLines writes whole lines as they are, if the output is text and nobody
// wants to look at the rows; else it answers false.
func (s *Sink) EmitLines(lines []byte) (bool, error) {
	text, ok := s.w.(*output.Text)
	if !ok || s.preview != nil {
		return false, nil
	}
	s.rows += int64(bytes.Count(lines, newline))
	return true, text.WriteLines(lines)
}

var newline = []byte{'\n'}

// Close writes what is left and closes the writer.
func (s *Sink) Close() error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.w.Close()
}

// rows collects typed rows into batches.
type rows struct {
	pairs    // its keys, for byte kinds, and its values
	keyKind  Kind
	typed    *arrow.Schema
	keyInts  []int64 // keys of kinds Int64, Uint64 and Bool
	keyFloat []float64
	n        int
}

func newRows(k Kinds) *rows {
	r := &rows{pairs: *newPairs(k.Value), keyKind: k.Key, typed: k.Schema()}
	return r
}

func (r *rows) full() bool { return r.n >= batchRows/4 || r.pairs.full() }

func (r *rows) key(key []byte) {
	r.n++
	switch r.keyKind {
	case Int64:
		r.keyInts = append(r.keyInts, IntKey(key))
	case Uint64:
		r.keyInts = append(r.keyInts, int64(UintKey(key)))
	case Bool:
		v := int64(0)
		if BoolKey(key) {
			v = 1
		}
		r.keyInts = append(r.keyInts, v)
	case Float64:
		r.keyFloat = append(r.keyFloat, FloatKey(key))
	default:
		r.keys.add(key)
	}
}

func (r *rows) reset() {
	r.pairs.reset()
	r.keyInts, r.keyFloat, r.n = r.keyInts[:0], r.keyFloat[:0], 0
}

// record shares the batch's memory: it is valid until reset.
func (r *rows) record() arrow.Record {
	columns := []arrow.Array{typedColumn(r.keyKind, &r.keys, r.keyInts, r.keyFloat)}
	if r.kind != None {
		columns = append(columns, typedColumn(r.kind, &r.values, r.ints, r.floats))
	}
	rec := array.NewRecord(r.typed, columns, int64(r.n))
	for _, c := range columns {
		c.Release()
	}
	return rec
}

func typedColumn(k Kind, text *byteColumn, ints []int64, floats []float64) arrow.Array {
	switch k {
	case Int64, Uint64:
		return numArray(k.Arrow(), ints)
	case Float64:
		return numArray(k.Arrow(), floats)
	case Bool:
		b := array.NewBooleanBuilder(memory.DefaultAllocator)
		defer b.Release()
		for _, v := range ints {
			b.Append(v != 0)
		}
		return b.NewArray()
	default:
		return text.array(k.Arrow())
	}
}
