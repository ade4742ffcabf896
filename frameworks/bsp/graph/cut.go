package graph

import "slices"

// cutRows is this rank's part of the rows of cut vertices, while they are read.
type cutRows struct{ out, in *growingRows }

type growingRows struct {
	rows    [][]uint32
	weights [][]float64 // nil without weights
}

func newCutRows(n int, weighted bool) *growingRows {
	if n == 0 {
		return nil
	}
	g := &growingRows{rows: make([][]uint32, n)}
	if weighted {
		g.weights = make([][]float64, n)
	}
	return g
}

func (g *growingRows) add(rows, targets []uint32, weights []float64) {
	for i, row := range rows {
		g.rows[row] = append(g.rows[row], targets[i])
		if g.weights != nil {
			g.weights[row] = append(g.weights[row], weights[i])
		}
	}
}

// csr is nil where there are no cut vertices. Targets are below limit.
func (g *growingRows) csr(limit int) *CSR {
	if g == nil {
		return nil
	}
	c := &CSR{Offsets: make([]uint64, len(g.rows)+1), Targets: slices.Concat(g.rows...)}
	if g.weights != nil {
		c.Weights = slices.Concat(g.weights...)
	}
	for i, row := range g.rows {
		c.Offsets[i+1] = c.Offsets[i] + uint64(len(row))
	}
	order := newSorter(limit)
	for i := range g.rows {
		order.sort(c.Offsets[i:i+2], nil, c.Row(i), c.weights(c.Offsets[i], c.Offsets[i+1]))
	}
	return c
}
