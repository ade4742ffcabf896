package graph

import (
	"context"
	"io"

	"github.com/capstan-run/capstan/frameworks/dataset/input"
)

// peekSplit looks at the first record of a split: whether its ids are texts,
// and whether there is any record at all.
func peekSplit(ctx context.Context, c Config, in input.Options, s input.Split) (text, found bool, err error) {
	if in.Format != "" && in.Format != "text" {
		return peekTable(ctx, c, in, s)
	}
	in.Buffer = 64 << 10
	blocks := input.NewBlockReader(s, in)
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
			return !startsWithInts(c, line), true, nil
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

func peekTable(ctx context.Context, c Config, in input.Options, s input.Split) (text, found bool, err error) {
	r := &reader{cfg: c}
	r.in = in
	r.in.BatchRows = 1
	records := input.NewRecordReader(s, r.in)
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
	for i, name := range []string{c.Source, c.Target} {
		column, err := pick(rec, name, i, pos.File, []string{"source", "target"}[i])
		if err != nil {
			return false, false, err
		}
		if r.intAt(column, 0); r.bad != "" {
			return true, true, nil
		}
	}
	return false, true, nil
}
