package graph

import (
	"context"
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// peek looks at the first record of a split: whether its ids are texts, and
// whether there is any record at all.
type peek struct {
	in      input.Options
	line    func(line []byte) bool // whether its ids are integers
	columns func(t table) ([]arrow.Array, error)
}

// peekEdges looks at edges or adjacency lists.
func peekEdges(c Config, in input.Options) peek {
	r := &reader{cfg: c}
	return peek{in, func(line []byte) bool { return startsWithInts(c, line) }, func(t table) ([]arrow.Array, error) {
		columns, err := r.columns(t)
		if err != nil {
			return nil, err
		}
		return columns[:2], nil
	}}
}

// peekVertices looks at a list of vertices.
func peekVertices(v VertexInput) peek {
	return peek{v.Reading, func(line []byte) bool {
		f, _ := field(line)
		_, ok := parseInt(f)
		return ok
	}, v.columns}
}

func (p peek) first(ctx context.Context, s input.Split) (text, found bool, err error) {
	if p.in.Format != "" && p.in.Format != "text" {
		return p.table(ctx, s)
	}
	p.in.Buffer = 64 << 10
	blocks := input.NewBlockReader(s, p.in)
	defer blocks.Close()
	for {
		b, err := blocks.Next(ctx)
		if err == io.EOF {
			return false, false, nil
		}
		if err != nil {
			return false, false, err
		}
		for _, line := range b.Lines() {
			line = trim(line)
			if len(line) == 0 || line[0] == '#' || line[0] == '%' {
				continue
			}
			return !p.line(line), true, nil
		}
	}
}

// startsWithInts reports whether the ids of a line are integers.
func startsWithInts(c Config, line []byte) bool {
	r := &reader{cfg: c}
	if c.Layout == Adjacency {
		r.split(line)
	} else {
		source, rest := field(line)
		target, _ := field(rest)
		r.fields = [][]byte{source, target}
	}
	for i, f := range r.fields {
		if i > 0 && c.Layout == Adjacency && c.Weighted {
			f, _ = r.weighted(f)
		}
		if _, ok := parseInt(f); !ok {
			return false
		}
	}
	return true
}

func (p peek) table(ctx context.Context, s input.Split) (text, found bool, err error) {
	p.in.BatchRows = 1
	records := input.NewRecordReader(s, p.in)
	defer records.Close()
	rec, pos, err := records.Next(ctx)
	for err == nil && rec.NumRows() == 0 {
		rec.Release()
		rec, pos, err = records.Next(ctx)
	}
	if err == io.EOF {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	defer rec.Release()
	columns, err := p.columns(table{rec, pos.File, records})
	if err != nil {
		return false, false, err
	}
	r := new(reader)
	for _, column := range columns {
		if r.intAt(column, 0); r.bad != "" {
			return true, true, nil
		}
	}
	return false, true, nil
}
