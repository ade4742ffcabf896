package mapreduce

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/dataset/input"
	"github.com/capstan-run/capstan/frameworks/mapreduce/work"
)

// Context is a task's surroundings: counters, status, side files, files shipped
// with the job.
type Context = work.Context

// Emit takes a pair. It copies both. An error of Emit, such as a full disk,
// ends the task after the function that called it has returned.
type Emit[K, V any] func(key K, value V)

// Mapper is a named map function: see [Map], [MapContext], [MapRecords].
type Mapper struct {
	name string
	f    work.MapFunc
	err  error
}

// Reducer is a named function for reduce or combine: see [Reduce],
// [ReduceContext], [Sum], [Min], [Max].
type Reducer struct {
	name string
	f    work.ReduceFunc
	err  error
}

// Bad is the error by which a map function refuses a record: it goes to the
// dead-letter file if the document says onBadRecord: deadLetter, else it ends
// the job. Of a reduce function, whose groups are no records, it is an error
// like any other.
func Bad(reason string) error { return badRecord(reason) }

type badRecord string

func (b badRecord) Error() string { return "bad record: " + string(b) }

// Map makes a function over lines. Records of structured formats come as lines
// of JSON. The line has no line end.
func Map[K, V any](name string, f func(line string, out Emit[K, V]) error) Mapper {
	return MapContext(name, func(_ *Context, line string, out Emit[K, V]) error { return f(line, out) })
}

// MapContext is [Map] with the task's surroundings.
func MapContext[K, V any](name string, f func(ctx *Context, line string, out Emit[K, V]) error) Mapper {
	return newMapper(name, func(c *Context, p *pairer[K, V]) work.Mapper {
		return &lineMapper[K, V]{ctx: c, pairer: p, f: f}
	})
}

// MapRecords makes a function over batches of records. Text comes as records
// of one column, "line".
func MapRecords[K, V any](name string, f func(ctx *Context, rec arrow.Record, out Emit[K, V]) error) Mapper {
	return newMapper(name, func(c *Context, p *pairer[K, V]) work.Mapper {
		return &recordMapper[K, V]{ctx: c, pairer: p, f: f}
	})
}

func newMapper[K, V any](name string, make func(*Context, *pairer[K, V]) work.Mapper) Mapper {
	k, v, err := codecs[K, V](name)
	if err != nil {
		return Mapper{name: name, err: err}
	}
	return Mapper{name: name, f: work.MapFunc{
		Out: work.Kinds{Key: k.kind, Value: v.kind},
		New: func(c *Context) (work.Mapper, error) { return make(c, &pairer[K, V]{k: k, v: v}), nil },
	}}
}

func codecs[K, V any](name string) (*codec[K], *codec[V], error) {
	k, err := newCodec[K]()
	if err == nil {
		var v *codec[V]
		if v, err = newCodec[V](); err == nil {
			return k, v, nil
		}
	}
	return nil, nil, core.AsError(err).At(fmt.Sprintf("function %q", name))
}

// pairer encodes pairs for one work.Emitter.
type pairer[K, V any] struct {
	k    *codec[K]
	v    *codec[V]
	to   work.Emitter
	emit Emit[K, V]
	err  error // the first one
	kbuf []byte
	vbuf []byte
}

// on answers the Emit that hands pairs on to out.
func (p *pairer[K, V]) on(out work.Emitter) Emit[K, V] {
	if p.to == out && p.emit != nil {
		return p.emit
	}
	p.to = out
	switch {
	case p.v.whole != nil:
		p.emit = p.emitWhole
	case p.v.float != nil:
		p.emit = p.emitFloat
	default:
		p.emit = p.emitBytes
	}
	return p.emit
}

func (p *pairer[K, V]) key(key K) []byte {
	b, err := p.k.key(p.kbuf[:0], key)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("key %v: %w", key, err)
	}
	if !p.k.shared {
		p.kbuf = b
	}
	return b
}

func (p *pairer[K, V]) emitWhole(key K, value V) {
	if err := p.to.EmitInt(p.key(key), p.v.whole(value)); err != nil && p.err == nil {
		p.err = err
	}
}

func (p *pairer[K, V]) emitFloat(key K, value V) {
	if err := p.to.EmitFloat(p.key(key), p.v.float(value)); err != nil && p.err == nil {
		p.err = err
	}
}

func (p *pairer[K, V]) emitBytes(key K, value V) {
	b, err := p.v.bytes(p.vbuf[:0], value)
	if err == nil {
		err = p.to.Emit(p.key(key), b)
	}
	if err != nil && p.err == nil {
		p.err = err
	}
}

// noClose is the end of a function that holds nothing.
type noClose struct{}

func (noClose) Close(context.Context, work.Emitter) error { return nil }

type lineMapper[K, V any] struct {
	noClose
	*pairer[K, V]
	ctx *Context
	f   func(*Context, string, Emit[K, V]) error
}

func (m *lineMapper[K, V]) Block(_ context.Context, b input.Block, out work.Emitter) error {
	emit := m.on(out)
	// One copy of the block makes every line of it a string to keep (law M2).
	for rest, at := string(b.Data), b.Offset; len(rest) > 0; {
		n := strings.IndexByte(rest, '\n')
		line := rest[:n]
		rest = rest[n+1:]
		if n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		err := m.f(m.ctx, line, emit)
		if m.err != nil {
			return m.err
		}
		if err != nil {
			if err = setAside(m.ctx, err, b.File, at, line); err != nil {
				return err
			}
		}
		at += int64(n) + 1
	}
	return nil
}

// setAside makes a bad record of a function's error, if it says so. Lines made
// of records have no file of their own: their batch's place stands for theirs.
func setAside(c *Context, err error, file string, at int64, line string) error {
	if file == "" {
		file, at = c.Input()
	}
	var bad badRecord
	if !errors.As(err, &bad) {
		return fmt.Errorf("%s: %w", input.Bad{File: file, Offset: at}.Where(), err)
	}
	return c.Bad(input.Bad{File: file, Offset: at, Length: int64(len(line)), Reason: string(bad),
		Sample: []byte(line[:min(len(line), input.SampleSize)])})
}

type recordMapper[K, V any] struct {
	noClose
	*pairer[K, V]
	ctx *Context
	f   func(*Context, arrow.Record, Emit[K, V]) error
}

func (m *recordMapper[K, V]) Record(_ context.Context, rec arrow.Record, out work.Emitter) error {
	err := m.f(m.ctx, rec, m.on(out))
	if m.err != nil {
		return m.err
	}
	if err != nil {
		file, at := m.ctx.Input()
		return setAside(m.ctx, err, file, at, "")
	}
	return nil
}

// Reduce makes a function over groups: it is called once for each key, in the
// order of keys, with the key's values in input order. It need not read all.
func Reduce[K, V, K2, V2 any](name string, f func(key K, values iter.Seq[V], out Emit[K2, V2]) error) Reducer {
	return ReduceContext(name, func(_ *Context, key K, values iter.Seq[V], out Emit[K2, V2]) error {
		return f(key, values, out)
	})
}

// ReduceContext is [Reduce] with the task's surroundings.
func ReduceContext[K, V, K2, V2 any](name string, f func(ctx *Context, key K, values iter.Seq[V], out Emit[K2, V2]) error) Reducer {
	k, v, err := codecs[K, V](name)
	if err != nil {
		return Reducer{name: name, err: err}
	}
	k2, v2, err := codecs[K2, V2](name)
	if err != nil {
		return Reducer{name: name, err: err}
	}
	return Reducer{name: name, f: work.ReduceFunc{
		In:  work.Kinds{Key: k.kind, Value: v.kind},
		Out: work.Kinds{Key: k2.kind, Value: v2.kind},
		New: func(c *Context) (work.Reducer, error) {
			return &groupReducer[K, V, K2, V2]{ctx: c, k: k, v: v, pairer: pairer[K2, V2]{k: k2, v: v2}, f: f}, nil
		},
	}}
}

type groupReducer[K, V, K2, V2 any] struct {
	noClose
	pairer[K2, V2]
	ctx *Context
	k   *codec[K]
	v   *codec[V]
	f   func(*Context, K, iter.Seq[V], Emit[K2, V2]) error
	in  error // of decoding a value
}

func (r *groupReducer[K, V, K2, V2]) Reduce(_ context.Context, g *work.Group, out work.Emitter) error {
	key, err := r.k.fromKey(g.Key())
	if err != nil {
		return err
	}
	err = r.f(r.ctx, key, func(yield func(V) bool) {
		for g.Next() {
			if !yield(r.value(g)) || r.in != nil {
				return
			}
		}
	}, r.on(out))
	return errors.Join(r.in, r.err, err)
}

func (r *groupReducer[K, V, K2, V2]) value(g *work.Group) V {
	switch {
	case r.v.fromWhole != nil:
		return r.v.fromWhole(g.Int())
	case r.v.fromFloat != nil:
		return r.v.fromFloat(g.Float())
	}
	v, err := r.v.fromBytes(g.Bytes())
	if err != nil && r.in == nil {
		r.in = err
	}
	return v
}

// Whole is any integer that fits int64.
type Whole interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64
}

// Sum adds up the values of each key. As a combiner, and as a reducer of a job
// without one, it adds while it maps, without sorting.
func Sum[K any, V Whole](name string) Reducer {
	return folded[K](name, work.FoldSum, func(a, b V) V { return a + b })
}

// Min keeps the smallest value of each key, as [Sum] adds.
func Min[K any, V Whole](name string) Reducer {
	return folded[K](name, work.FoldMin, func(a, b V) V { return min(a, b) })
}

// Max keeps the largest value of each key, as [Sum] adds.
func Max[K any, V Whole](name string) Reducer {
	return folded[K](name, work.FoldMax, func(a, b V) V { return max(a, b) })
}

func folded[K any, V Whole](name string, fold work.Fold, join func(a, b V) V) Reducer {
	r := Reduce(name, func(key K, values iter.Seq[V], out Emit[K, V]) error {
		var acc V
		first := true
		for v := range values {
			if first {
				acc, first = v, false
				continue
			}
			acc = join(acc, v)
		}
		out(key, acc)
		return nil
	})
	r.f.Fold = fold
	return r
}
