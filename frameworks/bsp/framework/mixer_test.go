package framework

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/frameworks/bsp/work"
)

// mixer is a program whose every superstep depends on all messages of the one
// before: one that went on from the wrong place, or with messages lost, gives
// another answer. It writes a row at the beginning and one at the end.
type mixer struct {
	steps int64
	state uint64
	fixed []byte                                  // what never changes
	hook  func(context.Context, *peer.Peer) error // called before each Sync; nil: nothing
}

var mixerSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "value", Type: arrow.PrimitiveTypes.Int64},
}, nil)

func (m *mixer) Run(ctx context.Context, p *peer.Peer) error {
	if p.Superstep() == 0 {
		p.ReadRecords(int64(p.Rank()))
		m.state, m.fixed = uint64(p.Rank())+1, make([]byte, 3<<20)
		for i := range m.fixed {
			m.fixed[i] = byte(i + p.Rank())
		}
		if err := row(p, int64(p.Rank()), int64(m.state)); err != nil {
			return err
		}
	}
	for p.Superstep() < m.steps {
		for _, msg := range p.Messages() {
			m.state = m.state*6364136223846793005 + binary.LittleEndian.Uint64(msg)
		}
		m.state += uint64(m.fixed[int(p.Superstep())%len(m.fixed)])
		if err := p.Broadcast(binary.LittleEndian.AppendUint64(nil, m.state)); err != nil {
			return err
		}
		if m.hook != nil {
			if err := m.hook(ctx, p); err != nil {
				return err
			}
		}
		p.Count("mixer/steps", 1)
		p.Active(1)
		if err := p.Sync(ctx); err != nil {
			return err
		}
	}
	return row(p, int64(1000+p.Rank()), int64(m.state>>1))
}

func row(p *peer.Peer, id, value int64) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, mixerSchema)
	defer b.Release()
	b.Field(0).(*array.Int64Builder).Append(id)
	b.Field(1).(*array.Int64Builder).Append(value)
	rec := b.NewRecord()
	defer rec.Release()
	return p.WriteRecord(rec)
}

func (m *mixer) Save(w *peer.SnapshotWriter) error {
	if err := w.Once("fixed", func(out io.Writer) error { _, err := out.Write(m.fixed); return err }); err != nil {
		return err
	}
	return w.Put("state", binary.LittleEndian.AppendUint64(nil, m.state))
}

func (m *mixer) Load(r *peer.SnapshotReader) error {
	b, err := read(r, "state")
	if err != nil {
		return err
	}
	m.state = binary.LittleEndian.Uint64(b)
	if r.Fresh() {
		m.fixed, err = read(r, "fixed")
	}
	return err
}

func read(r *peer.SnapshotReader, section string) ([]byte, error) {
	f, err := r.Open(section)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// functions are those of the tests: mixer, and some that fail.
func functions(hook func(context.Context, *peer.Peer) error) work.Registry {
	return work.Registry{
		"mixer": func(make work.Make) (peer.Program, error) {
			m := &mixer{steps: 20, hook: hook}
			if n, ok := make.Body.Algorithm.With["steps"].(json.Number); ok {
				var err error
				if m.steps, err = n.Int64(); err != nil {
					return nil, err
				}
			}
			return m, nil
		},
		"rows of graph": rowsOfGraph,
		"failing": func(work.Make) (peer.Program, error) {
			return peer.Func(func(ctx context.Context, p *peer.Peer) error {
				for p.Superstep() < 3 {
					if err := p.Sync(ctx); err != nil {
						return err
					}
				}
				if p.Rank() == 1 {
					return core.Errorf(core.Failed, "vertex 7 has no weight").Do("give it one")
				}
				return p.Sync(ctx)
			}), nil
		},
		"panicking": func(work.Make) (peer.Program, error) {
			return peer.Func(func(ctx context.Context, p *peer.Peer) error {
				if p.Rank() == 0 {
					panic(errors.New("a bug"))
				}
				return p.Sync(ctx)
			}), nil
		},
		"numbers": func(work.Make) (peer.Program, error) {
			return peer.Func(func(_ context.Context, p *peer.Peer) error {
				p.Columns(arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64}, arrow.Field{Name: "value", Type: arrow.PrimitiveTypes.Float64})
				return p.WriteKV(fmt.Append(nil, p.Rank()), fmt.Append(nil, 1.5*float64(p.Rank())))
			}), nil
		},
		"words": func(work.Make) (peer.Program, error) {
			return peer.Func(func(_ context.Context, p *peer.Peer) error {
				return p.WriteKV(fmt.Appendf(nil, "rank-%d", p.Rank()), fmt.Appendf(nil, "%d", 10*p.Rank()))
			}), nil
		},
	}
}
