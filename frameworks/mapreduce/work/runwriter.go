package work

import (
	"errors"
	"io"
	"math"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/shuffle"
)

// runWriter writes sorted pairs as an exchange file, partition after
// partition. As an Emitter it takes the output of a combiner, and holds it to
// the order of keys.
type runWriter struct {
	*shuffle.Writer
	out   *pairs
	part  int
	order Order
	last  []byte
	some  bool // last is set
}

func newRunWriter(at place, value Kind, parts int) (*runWriter, error) {
	out := newPairs(value)
	w, err := shuffle.Create(at.path, out.schema, parts, at.options)
	if err != nil {
		return nil, err
	}
	return &runWriter{Writer: w, out: out}, nil
}

// begin says that what follows belongs to partition p. The last one was flushed.
func (w *runWriter) begin(p int, order Order) { w.part, w.order, w.some = p, order, false }

// copy writes a whole run as partition p.
func (w *runWriter) copy(p int, r run) error {
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.Write(p, rec); err != nil {
			return err
		}
	}
}

// pair writes the current pair of c.
func (w *runWriter) pair(c *cursor) error {
	w.out.keys.add(c.key)
	switch {
	case w.out.kind.bytes():
		w.out.values.add(c.Bytes())
	case w.out.kind.whole():
		w.out.ints = append(w.out.ints, c.Int())
	case w.out.kind == Float64:
		w.out.floats = append(w.out.floats, c.Float())
	}
	return w.drain()
}

func (w *runWriter) drain() error {
	if w.out.full() {
		return w.flush()
	}
	return nil
}

func (w *runWriter) flush() error {
	if w.out.rows() == 0 {
		return nil
	}
	rec := w.out.record()
	err := w.Write(w.part, rec)
	rec.Release()
	w.out.reset()
	return err
}

// Emit takes a combined pair.
func (w *runWriter) Emit(key, value []byte) error {
	switch {
	case w.out.kind.whole():
		v, err := parseWhole(key, value)
		if err != nil {
			return err
		}
		return w.EmitInt(key, v)
	case w.out.kind == Float64:
		v, err := parseFloat(key, value)
		if err != nil {
			return err
		}
		return w.EmitFloat(key, v)
	}
	if err := w.key(key); err != nil {
		return err
	}
	if w.out.kind.bytes() {
		w.out.values.add(value)
	}
	return w.drain()
}

// EmitInt takes a combined pair.
func (w *runWriter) EmitInt(key []byte, v int64) error {
	switch {
	case w.out.kind == Float64:
		return w.EmitFloat(key, float64(v))
	case !w.out.kind.whole():
		var buf [24]byte
		return w.Emit(key, appendWholeText(buf[:0], v, Int64))
	}
	if err := w.key(key); err != nil {
		return err
	}
	w.out.ints = append(w.out.ints, v)
	return w.drain()
}

// EmitFloat takes a combined pair.
func (w *runWriter) EmitFloat(key []byte, v float64) error {
	if w.out.kind != Float64 {
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 && w.out.kind.whole() {
			return w.EmitInt(key, int64(v))
		}
		var buf [32]byte
		return w.Emit(key, appendFloatText(buf[:0], v))
	}
	if err := w.key(key); err != nil {
		return err
	}
	w.out.floats = append(w.out.floats, v)
	return w.drain()
}

func (w *runWriter) key(key []byte) error {
	if w.some && w.order.Compare(w.last, key) > 0 {
		return core.Errorf(core.Failed, "the combiner emits key %q after %q, out of order", clip(key), clip(w.last)).
			At("spec.combine").Do("let the combiner emit the keys it is given, in their order; do other work in map or reduce")
	}
	w.last, w.some = append(w.last[:0], key...), true
	w.out.keys.add(key)
	return nil
}
