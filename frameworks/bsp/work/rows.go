package work

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/task"
	"github.com/capstan-run/capstan/frameworks/dataset"
	"github.com/capstan-run/capstan/frameworks/dataset/output"
)

// rows is what a rank writes of the result: a peer.Output. A part is open from
// the first row until the next checkpoint, or the end.
type rows struct {
	// ctx is that of the incarnation: peer.Output's methods carry none.
	ctx         context.Context
	store       output.Store
	prefix      string
	scratch     string
	out         dataset.Output
	rank, size  int
	incarnation int

	part    *output.PartWriter // nil between parts
	w       output.Writer
	schema  *arrow.Schema // of the open part
	pairs   *pairs        // of WriteKV, where the format is of columns
	kv      *arrow.Schema // of WriteKV
	n       int64         // rows of the open part
	sealed  sealed
	preview *preview // nil: none is wanted
}

// sealed is what a checkpoint keeps of a rank's rows.
type sealed struct {
	Parts   []output.Part
	Columns []output.Column
	Preview []task.PreviewRow
}

var _ peer.Output = (*rows)(nil)

// pairWriter writes a row of bytes, without Arrow.
type pairWriter interface{ WriteKV(key, value []byte) error }

// kvSchema is that of rows of bytes of which nothing else was said.
var kvSchema = arrow.NewSchema([]arrow.Field{
	{Name: "key", Type: arrow.BinaryTypes.String}, {Name: "value", Type: arrow.BinaryTypes.String},
}, nil)

// Columns is what peer.Peer.Columns looks for.
func (r *rows) Columns(key, value arrow.Field) {
	r.kv = arrow.NewSchema([]arrow.Field{key, value}, nil)
}

// WriteKV is peer.Output's.
func (r *rows) WriteKV(key, value []byte) error {
	if r.kv == nil {
		r.kv = kvSchema
	}
	if err := r.open(r.kv); err != nil {
		return err
	}
	if r.preview != nil {
		r.preview.pair(key, value, r.kv.Field(0).Type.ID() == arrow.INT64)
	}
	r.n++
	if w, ok := r.w.(pairWriter); ok {
		return w.WriteKV(key, value)
	}
	if r.pairs == nil {
		r.pairs = newPairs(r.kv)
	}
	return r.pairs.add(r.w, key, value)
}

// WriteRecord is peer.Output's.
func (r *rows) WriteRecord(rec arrow.Record) error {
	if err := r.open(rec.Schema()); err != nil {
		return err
	}
	if r.preview != nil {
		r.preview.record(rec)
	}
	r.n += rec.NumRows()
	if r.pairs != nil {
		if err := r.pairs.flush(r.w); err != nil {
			return err
		}
	}
	return r.w.Write(rec)
}

// open begins a part unless one of the same columns is open.
func (r *rows) open(schema *arrow.Schema) error {
	columns := output.ColumnsOf(schema)
	switch {
	case r.part != nil && r.schema == schema:
		return nil
	case r.sealed.Columns == nil:
		r.sealed.Columns = columns
	case fmt.Sprint(r.sealed.Columns) != fmt.Sprint(columns):
		return core.Errorf(core.Failed, "rows of columns %v after rows of columns %v", columns, r.sealed.Columns).At("spec.algorithm").
			Do("let the program write rows of one kind")
	}
	if r.part != nil {
		return nil
	}
	ordinal := r.rank + len(r.sealed.Parts)*r.size
	p := output.ResultPart(ordinal, r.out.Format, r.out.Compression)
	r.part = output.NewPart(r.store, r.prefix, fmt.Sprintf("rank-%05d", r.rank), r.incarnation, p, r.scratch)
	r.schema, r.n = schema, 0
	var err error
	r.w, err = output.New(r.part, output.Options{Format: r.out.Format, Compression: r.out.Compression, Schema: schema})
	return err
}

// Seal is peer.Output's: it puts the open part into the store.
func (r *rows) Seal() ([]byte, error) {
	if err := r.closePart(); err != nil {
		return nil, err
	}
	r.sealed.Preview = r.preview.list()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(&r.sealed); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (r *rows) closePart() error {
	if r.part == nil {
		return nil
	}
	if r.pairs != nil {
		if err := r.pairs.flush(r.w); err != nil {
			return err
		}
	}
	if err := r.w.Close(); err != nil {
		return err
	}
	p, err := r.part.Close(r.ctx, r.n)
	if err != nil {
		return err
	}
	r.part, r.w = nil, nil
	r.sealed.Parts = append(r.sealed.Parts, p)
	return nil
}

// Rewind is peer.Output's.
func (r *rows) Rewind(state []byte) error {
	r.abort()
	r.sealed = sealed{}
	if state != nil {
		if err := gob.NewDecoder(bytes.NewReader(state)).Decode(&r.sealed); err != nil {
			return fmt.Errorf("%w: the rows of a checkpoint: %v", errDamaged, err)
		}
	}
	r.preview.restart(r.sealed.Preview)
	return nil
}

// abort drops the open part.
func (r *rows) abort() {
	if r.part != nil {
		r.part.Abort()
	}
	r.part, r.w, r.pairs = nil, nil, nil
}
