package work

import (
	"context"
	"errors"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/frameworks/mapreduce/script"
)

// scriptReducer reduces through a script, which finds the groups itself: it
// gets every pair, sorted, as a line or a row.
type scriptReducer struct {
	scriptStep
	in  Kinds
	buf []byte
}

// scriptBuffer is how much is gathered for one write to a script.
const scriptBuffer = 256 << 10

func newScriptReducer(c *Context, in Kinds) (Reducer, error) {
	r := scriptReducer{scriptStep: scriptStep{c: c}, in: in}
	if c.Step.As == "arrow" {
		return &arrowReducer{scriptReducer: r, rows: newRows(in)}, nil
	}
	return &r, nil
}

func (r *scriptReducer) Reduce(ctx context.Context, g *Group, out Emitter) error {
	if r.p == nil {
		if err := r.start(ctx, r.c.takeLines(out)); err != nil {
			return err
		}
	}
	for g.Next() {
		r.buf = appendKeyText(r.buf, g.FullKey(), r.in.Key)
		r.buf = append(r.buf, '\t')
		r.buf = g.appendValue(r.buf, r.in.Value)
		r.buf = append(r.buf, '\n')
		if len(r.buf) >= scriptBuffer {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendValue appends the current value as text.
func (g *Group) appendValue(dst []byte, k Kind) []byte {
	switch {
	case k == None:
		return dst
	case k == Int64:
		return strconv.AppendInt(dst, g.Int(), 10)
	case k.whole():
		return appendWholeText(dst, g.Int(), k)
	case k == Float64:
		return appendFloatText(dst, g.Float())
	}
	return append(dst, g.Bytes()...)
}

func (r *scriptReducer) flush() error {
	err := r.write(r.buf)
	r.buf = r.buf[:0]
	r.c.Alive() // it took what it was given
	return err
}

func (r *scriptReducer) Close(ctx context.Context, out Emitter) error {
	if ctx.Err() == nil {
		if r.p == nil {
			if err := r.start(ctx, r.c.takeLines(out)); err != nil {
				return err
			}
		}
		if err := r.flush(); err != nil {
			return errors.Join(err, r.close(ctx))
		}
	}
	return r.close(ctx)
}

// arrowReducer is a scriptReducer over Arrow streams, with columns key and
// value.
type arrowReducer struct {
	scriptReducer
	rows *rows
	w    *script.RecordWriter
}

func (r *arrowReducer) Reduce(ctx context.Context, g *Group, out Emitter) error {
	if r.p == nil {
		if err := r.start(ctx, r.c.takeRecords(out)); err != nil {
			return err
		}
		r.w = script.NewRecordWriter(r.p)
	}
	for g.Next() {
		switch k := r.in.Value; {
		case k.bytes():
			r.rows.values.add(g.Bytes())
		case k.whole():
			r.rows.ints = append(r.rows.ints, g.Int())
		case k == Float64:
			r.rows.floats = append(r.rows.floats, g.Float())
		}
		r.rows.key(g.FullKey())
		if r.rows.full() {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *arrowReducer) flush() error {
	if r.closed || r.rows.n == 0 {
		r.rows.reset()
		return nil
	}
	rec := r.rows.record()
	defer rec.Release()
	defer r.rows.reset()
	return r.send(rec)
}

func (r *arrowReducer) send(rec arrow.Record) error {
	err := r.w.Write(rec)
	r.c.Alive()
	if script.Closed(err) {
		r.closed = true
		return nil
	}
	return err
}

func (r *arrowReducer) Close(ctx context.Context, out Emitter) error {
	if r.p != nil && ctx.Err() == nil {
		err := r.flush()
		if err == nil && !r.closed {
			err = r.w.Close()
		}
		if err != nil && !script.Closed(err) {
			return errors.Join(err, r.close(ctx))
		}
	}
	return r.close(ctx)
}
