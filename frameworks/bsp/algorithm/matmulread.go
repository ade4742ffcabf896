package algorithm

import (
	"context"
	"io"
	"math"
	"strconv"

	"github.com/capstan-run/capstan/core"
	"github.com/capstan-run/capstan/frameworks/bsp/peer"
)

// read reads the matrices in two passes: the first finds their shape, the second
// sends the rows to those who have the blocks. It takes two Syncs.
func (m *product) read(ctx context.Context, p *peer.Peer) error {
	m.productState = productState{}
	if err := m.measure(ctx, p); err != nil {
		return err
	}
	rows, innerA, innerB, columns := m.own()
	sizeA, sizeB, sizeC := rows.Len()*innerA.Len(), innerB.Len()*columns.Len(), rows.Len()*columns.Len()
	panels := widestPanel * (rows.Len() + columns.Len())
	if need := 8 * int64(sizeA+sizeB+sizeC+panels); need > p.Memory() {
		return tooLarge(m.shape, need, p.Memory())
	}
	m.a, m.b, m.c = make([]float64, sizeA), make([]float64, sizeB), make([]float64, sizeC)
	err := m.pass(ctx, p, true, func(b bool, row, column int, entries []float64) error {
		return m.sendRow(p, b, row, column, entries)
	})
	if err != nil {
		return err
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	for block := range p.Blocks() {
		head := columnOf[uint64](block.Data)
		entries := columnOf[float64](block.Data[16:])
		switch block.Kind {
		case blockRowA:
			at := (int(head[0])-rows.First)*innerA.Len() + int(head[1]) - innerA.First
			addTo(m.a[at:], entries)
		case blockRowB:
			at := (int(head[0])-innerB.First)*columns.Len() + int(head[1]) - columns.First
			addTo(m.b[at:], entries)
		}
	}
	return nil
}

// pass reads this rank's rows. The second time faults have been told.
func (m *product) pass(ctx context.Context, p *peer.Peer, again bool, f func(b bool, row, column int, entries []float64) error) error {
	r := &rows{peer: p, keys: []string{m.options.Matrix, m.options.Row}, again: again}
	if m.options.Column != "" {
		r.keys = append(r.keys, m.options.Column)
	}
	return r.each(ctx, func(keys [][]byte, entries []float64) error {
		if which := string(keys[0]); which != "A" && which != "B" {
			return faultf("a row of matrix %q: there are A and B", which)
		}
		at := [2]int{}
		for i, key := range keys[1:] {
			n, err := strconv.ParseUint(string(key), 10, 31)
			if err != nil {
				return faultf("%q is no number of a row or column", key)
			}
			at[i] = int(n)
		}
		for _, x := range entries {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return faultf("%v is no entry", x)
			}
		}
		return f(keys[0][0] == 'B', at[0], at[1], entries)
	})
}

// measure finds the shape of the matrices. It takes one Sync.
func (m *product) measure(ctx context.Context, p *peer.Peer) error {
	sizes := [2][2]*peer.Aggregator[int64]{}
	for i, name := range []string{"A", "B"} {
		sizes[i] = [2]*peer.Aggregator[int64]{peer.Max[int64](p, "rows of "+name), peer.Max[int64](p, "columns of "+name)}
		sizes[i][0].Add(0)
		sizes[i][1].Add(0)
	}
	err := m.pass(ctx, p, false, func(b bool, row, column int, entries []float64) error {
		s := sizes[0]
		if b {
			s = sizes[1]
		}
		s[0].Add(int64(row) + 1)
		s[1].Add(int64(column + len(entries)))
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.Sync(ctx); err != nil {
		return err
	}
	a, b := sizes[0], sizes[1]
	m.shape = shape{int(a[0].Value()), int(a[1].Value()), int(b[1].Value())}
	if a[1].Value() != b[0].Value() {
		return core.Errorf(core.Invalid, "A is %d x %d and B is %d x %d", a[0].Value(), a[1].Value(), b[0].Value(), b[1].Value()).
			At("spec.input.path").Do("give B as many rows as A has columns")
	}
	return nil
}

// sendRow cuts a row at the borders of blocks.
func (m *product) sendRow(p *peer.Peer, b bool, row, column int, entries []float64) error {
	kind, height, width := blockRowA, m.shape.rows, m.shape.inner
	if b {
		kind, height, width = blockRowB, m.shape.inner, m.shape.columns
	}
	for len(entries) > 0 {
		piece := pieceOf(width, m.grid.columns, column)
		n := min(len(entries), part(width, m.grid.columns, piece).End-column)
		to := m.grid.rank(pieceOf(height, m.grid.rows, row), piece)
		if err := p.SendBlock(to, kind, bytesOf([]uint64{uint64(row), uint64(column)}), bytesOf(entries[:n])); err != nil {
			return err
		}
		entries, column = entries[n:], column+n
	}
	return nil
}

// saveBlocks writes what Load reads.
func saveBlocks(s shape, a, b []float64) func(io.Writer) error {
	return func(w io.Writer) error {
		head := []int64{int64(s.rows), int64(s.inner), int64(s.columns), int64(len(a))}
		for _, part := range [][]byte{bytesOf(head), bytesOf(a), bytesOf(b)} {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return nil
	}
}
